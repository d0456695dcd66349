"""Problems carry a kind and a status."""

from appliance.base.problem import Kind, Problem
from appliance.mail.status import Status


class Full(Problem):
    kind, status = Kind.OVER_QUOTA, Status(4, 2, 2)


def test_problem_tells_what_it_is():
    problem = Full("the mailbox is full")
    assert (problem.kind, str(problem.status), str(problem)) == (Kind.OVER_QUOTA, "4.2.2", "the mailbox is full")
    assert problem.temporary
    assert not Problem("no").temporary


def test_kinds_are_distinct():
    assert len({kind.value for kind in Kind}) == len(Kind)
