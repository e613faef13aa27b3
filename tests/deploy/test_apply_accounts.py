"""Who may do what: the plan grants what docs/deploy.md says, and nothing wide."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .plans import ROOT, apply, commands, environment

PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
WIDE = re.compile(r"roles/(owner|editor|viewer|.*\.admin|.*Admin)$")


def short(member: str) -> str:
    """`serviceAccount:service-1@gcp-sa-pubsub.iam…` as `gcp-sa-pubsub`, `serviceAccount:varde-x@…` as `varde-x`."""
    name, _, domain = member.removeprefix("serviceAccount:").partition("@")
    return domain.split(".")[0] if name.startswith("service-") else name


def granted() -> Iterator[tuple[str, str, str]]:
    """Account, role, and the project where it holds for the whole of it, else nothing."""
    for _, words in commands(apply("production")):
        if grant := re.fullmatch(r"GRANT `(\S+)` ON (?:SCHEMA|TABLE) \S+ TO '(\S+)'", words[-1]):
            yield short(grant[2]), grant[1], ""
        elif "add-iam-policy-binding" in words:
            options = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
            yield short(options["member"]), options["role"], words[3] if words[1] == "projects" else ""


def test_the_page_lists_the_roles_that_are_given() -> None:
    section = PAGE.split("## Accounts")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| (.*?) \| ", section, re.MULTILINE)
    documented = {(account, role) for account, roles in rows for role in re.findall(r"`(roles/[\w.]+)`", roles)}
    assert documented == {(account, role) for account, role, _ in granted()}


def test_nobody_gets_a_wide_role() -> None:
    wide = {(account, role) for account, role, _ in granted() if WIDE.match(role)}
    assert wide == {("varde-jenkins", "roles/run.admin")}, "who releases also says who may call"


def test_only_what_cannot_be_given_on_one_resource_is_given_on_a_project() -> None:
    assert {(account, role) for account, role, project in granted() if project} == {
        ("varde-stream", "roles/dataflow.worker"),
        ("varde-stream", "roles/dataflow.developer"),
        ("varde-batch", "roles/bigquery.jobUser"),
        ("varde-batch", "roles/bigquery.readSessionUser"),
        ("varde-jenkins", "roles/run.admin"),
        ("varde-jenkins", "roles/dataflow.developer"),
        ("varde-jenkins", "roles/redis.viewer"),
        ("varde-jenkins", "roles/secretmanager.viewer"),
    }


def test_the_page_lists_the_names_of_the_env_files() -> None:
    section = PAGE.split("## The env file")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \| ", section, re.MULTILINE)
    documented = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(documented) == sorted(name for name in environment("production") if not name.startswith("VARDE_"))
