"""The webapi: applications send mail, read what came, and keep their list of dead addresses, by HTTP and JSON alone."""

from appliance.servers.web.webapi.application import application as application
