"""The mapping language: what becomes what, with reasons. Pure; the only files it reads are value tables."""

from crosswalk.mapping.context import Context
from crosswalk.mapping.digest import digest, require_approved
from crosswalk.mapping.docs import page_name, render
from crosswalk.mapping.examples import ExampleFailure, check_examples
from crosswalk.mapping.language import (
    HOLD,
    LEAVE_OUT,
    Approved,
    Check,
    Confirm,
    Constant,
    Default,
    Example,
    Guard,
    Hold,
    Lines,
    Mapping,
    Missing,
    Remove,
    Rule,
    Skip,
    Wait,
)
from crosswalk.mapping.mirror import mirror
from crosswalk.mapping.outcome import HeldRow, Links, Outcome, SkippedRow
from crosswalk.mapping.refs import Scope
from crosswalk.mapping.verb import Condition, Made, Refusal, Verb
from crosswalk.mapping.verbs.arithmetic import Arithmetic, Divide, Money, Round
from crosswalk.mapping.verbs.basic import Const, Copy, Either, Filled, If, Term
from crosswalk.mapping.verbs.choices import Choose, Lookup
from crosswalk.mapping.verbs.conditions import And, Compare, Equals, In, IsNull, Not, Or
from crosswalk.mapping.verbs.contact import Country, Email, Phone
from crosswalk.mapping.verbs.custom import Custom
from crosswalk.mapping.verbs.dates import Instant, LocalDate
from crosswalk.mapping.verbs.lists import Count, First, Match, MatchSum, Sum
from crosswalk.mapping.verbs.references import Link, Marker
from crosswalk.mapping.verbs.text import Concat, Cut, Split

__all__ = [
    "HOLD", "LEAVE_OUT", "And", "Approved", "Arithmetic", "Check", "Choose", "Compare", "Concat", "Condition",
    "Confirm", "Const", "Constant", "Context", "Copy", "Count", "Country", "Custom", "Cut", "Default", "Divide",
    "Either", "Email", "Equals", "Example", "ExampleFailure", "Filled", "First", "Guard", "HeldRow", "Hold", "If", "In",
    "Instant", "IsNull", "Lines", "Link", "Links", "LocalDate", "Lookup", "Made", "Mapping", "Marker", "Match",
    "MatchSum", "Missing", "Money", "Not", "Or", "Outcome", "Phone", "Refusal", "Remove", "Round", "Rule", "Scope",
    "Skip", "SkippedRow", "Split", "Sum", "Term", "Verb", "Wait", "check_examples", "digest", "mirror", "page_name",
    "render", "require_approved",
]  # fmt: skip
