# Prometheus' own tool takes the alert rules that we ship.
"$MOXPY" config example alerts >alerts.yml
promtool check rules alerts.yml
