"""The generated parts of docs/providers.md, what each provider can do, and of docs/profiles.md, what a profile may say.

Run it as `make docs`. It writes between the markers of the pages and leaves the rest alone; tests/test_docs.py fails where
a committed page is not what this would write.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import inspect
import io
import json
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines.actions.check_profile import request_lines, requests_of, sample_order
from pipelines.providers.contracts.request_body import image_fields
from pipelines.providers.profile import describe as words
from pipelines.providers.profile import exchange, order_parts, terms
from pipelines.providers.profile import model as profile_module
from pipelines.providers.profile.load import profile_named, shipped_profiles
from pipelines.providers.profile.model import Mode, Profile
from pipelines.providers.profile.order_parts import Images
from tests.pipelines.providers.contract_cases import KINDS, cases_of

HOUSE = Path(__file__).parents[2]
PAGES = (HOUSE / "docs" / "providers.md", HOUSE / "docs" / "profiles.md")
EXAMPLES = HOUSE / "docs" / "examples"
MOST_LISTED = 4
PLAIN = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "Decimal": "amount",
    "bool": "true or false",
    "StrictBool": "true or false",
    "Length": "whole number",
    "Wait": "number",
    "Hours": "number",
    "Day": "date",
    "Variable": "text",
    "Address": "text",
    "Places": "text, or list of text",
    "TrustedHost": "text",
    "Any": "anything",
}


def rewritten(page: str) -> str:
    """The page with its generated parts as they should be."""
    parts = {
        "overview": overview,
        "modes": modes,
        "fields": fields,
        "worked": worked,
        "bodies": bodies,
        "styles": styles,
    }
    shown = {"lumafox": "reelbatch.providers/lumafox.yaml", "paperboat": "reelbatch.providers/paperboat.yaml"}
    shown["rows"] = "paperboat.csv"

    def anew(match: re.Match[str]) -> str:
        margin, begin, name = match.groups()
        found = example(EXAMPLES / shown[name]) if name in shown else parts[name]()
        lines = [begin, "", *(line for part in found for line in part.splitlines() or [""]), "", "<!-- end -->"]
        return "\n".join(margin + line if line else "" for line in lines)

    return re.sub(r"^( *)(<!-- begin: (\w+) -->)\n.*?<!-- end -->", anew, page, flags=re.DOTALL | re.MULTILINE)


def example(path: Path) -> Iterator[str]:
    """A file of docs/examples, whole."""
    yield f"```{path.suffix.removeprefix('.')}"
    yield path.read_text("utf-8").rstrip()
    yield "```"


def styles() -> Iterator[str]:
    """What each style of pictures sends, with as much of the other fields as it needs."""
    yield from _head("`style`", "with", "sent")
    rules = {
        "url": Images(most=1, style="url", field="picture"),
        "list": Images(most=2, style="list", field="pictures"),
        "object": Images(most=1, style="object", field="picture"),
        "object_text": Images(most=1, style="object_text", field="picture"),
        "each": Images(most=2, style="each", fields=("first", "last")),
        "frames": Images(most=2, style="frames", field="frames", roles=("start", "end")),
    }
    for name, rule in rules.items():
        unsaid = {"most", "style"} | ({"field"} if name == "each" else set())
        said = rule.model_dump(mode="json", exclude_unset=True, exclude=unsaid)
        given = ", ".join(f"{key}: {value}" for key, value in said.items()).replace("'", "")
        yield _row(f"`{name}`", f"`{given}`", f"`{json.dumps(image_fields(('A', 'B')[: rule.most], rule))}`")


def worked() -> Iterator[str]:
    """The requests of three APIs that are nothing but data: an order, and a query about it."""
    for name in ("replicate", "fal", "kling"):
        profile = profile_named(name)
        requests = asyncio.run(requests_of(profile, sample_order(profile, profile.modes[0]), callback=False))
        yield "```text"
        for request in requests:
            yield from (line for part in request_lines(request) for line in part.splitlines())
            yield ""
        yield "```"


def bodies() -> Iterator[str]:
    """The order of each contract, by a profile and its first mode that speaks it."""
    for contract, name in (("openai", "openai"), ("acedata", "acedata"), ("veo", "qiniu"), ("fal", "qiniu")):
        profile = profile_named(name)
        mode = next(mode for mode in profile.modes if profile.contract_of(mode.name) == contract)
        request, *_ = asyncio.run(requests_of(profile, sample_order(profile, mode), callback=False))
        yield f"**{contract}**, by `{name}`, mode `{mode.name}`:"
        yield ""
        yield "```text"
        yield f"{request.method} {request.url}"
        yield request.body
        yield "```"
        yield ""


def overview() -> Iterator[str]:
    """One row a provider."""
    can = ("list", "delete")
    kinds = ("text", "image", "images", "file", "character", "remix", "parameters")
    yield from _head("provider", "contract", "models", *(KINDS[kind] for kind in kinds), *can, "price from", "status")
    for profile in shipped_profiles().values():
        has = {case.kind for case in cases_of(profile)}
        yield _row(
            f"[`{profile.name}`](#{profile.name})",
            ", ".join(words.contracts(profile)),
            str(len(words.models(profile))) if len(words.models(profile)) > 1 else f"`{words.models(profile)[0]}`",
            *("yes" if kind in has else "" for kind in kinds),
            *("yes" if each in profile.supports else "" for each in can),
            words.cheapest(profile),
            _status(profile),
        )


def modes() -> Iterator[str]:
    """A section a provider, a row a mode."""
    for profile in shipped_profiles().values():
        yield f"### {profile.name}"
        yield ""
        yield f"{profile.title}. Address `{profile.base_url}`; prompts of {words.prompt(profile)}; {words.limits(profile)}."
        yield ""
        tested: dict[str, dict[str, None]] = {}
        for case in cases_of(profile):
            tested.setdefault(case.mode, {})[KINDS[case.kind]] = None
        yield from _head("mode", "models", "lengths", "sizes and shapes", "images", "further columns", "tested")
        for mode in profile.modes:
            yield _row(
                f"`{mode.name}`",
                _some(mode.models),
                words.lengths(mode),
                _picture(mode),
                words.images(mode.images),
                ", ".join(f"`{name}`" for name in mode.parameters),
                ", ".join(tested[mode.name]),
            )
        yield ""
        if profile.from_documents:
            yield f"- Written from the vendor's documents on {profile.from_documents}, and not tried live."
        yield from (f"- {note}" for note in profile.notes)
        yield ""


def fields() -> Iterator[str]:
    """A table a model of a profile, the whole first."""
    sources = [inspect.getsource(module) for module in (profile_module, order_parts, exchange, terms)]
    models = [
        (node, remarks)
        for source in sources
        for remarks in [_remarks(source)]
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and node.name != "ProfilePart"
    ]
    for model, remarks in sorted(models, key=lambda pair: pair[0].name != "Profile"):
        yield f"**{model.name}.** {' '.join((ast.get_docstring(model) or '').split())}"
        yield ""
        yield from _head("field", "takes", "unless given", "meaning")
        for node in model.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                kind, default = _takes(node.annotation), _default(node.value)
                yield _row(f"`{node.target.id}`", kind, default, _meaning(node, remarks))
        yield ""


def _picture(mode: Mode) -> str:
    if mode.orientation is None:
        return words.sizes(mode)
    return "; ".join([*([words.sizes(mode)] if mode.size else []), words.shapes(mode)])


def _status(profile: Profile) -> str:
    if profile.retired_on:
        return f"closed on {profile.retired_on}"
    if profile.from_documents:
        return "from documents, not tried live"
    return "in service, as far as known" if profile.needs_key else "a server of one's own"


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED + 1 else ""
    return ", ".join(f"`{name}`" for name in names[: MOST_LISTED if more else None]) + more


def _head(*cells: str) -> Iterator[str]:
    yield _row(*cells)
    yield "|" + "---|" * len(cells)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _takes(node: ast.expr) -> str:
    """An annotation in words: `tuple[str, ...] | None` is `list of text, or null`."""
    match node:
        case ast.BinOp(left=left, right=ast.Constant(value=None)):
            return f"{_takes(left)}, or null"
        case ast.BinOp(left=left, right=right):
            return f"{_takes(left)} or {_takes(right)}"
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[item, *_])):
            return f"list of {_takes(item)}"
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, value])):
            return f"mapping of {_takes(key)} to {_takes(value)}"
        case ast.Subscript(value=ast.Name(id="Literal"), slice=ast.Tuple(elts=values)):
            return ", ".join(f"`{ast.literal_eval(value)}`" for value in values)
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[kind, *_])):
            return _takes(kind)
        case ast.Name(id=name):
            return _named(name)
    raise ValueError(ast.unparse(node))


def _named(name: str) -> str:
    alias = getattr(profile_module, name, None) or getattr(order_parts, name, None)
    if name in PLAIN:
        return PLAIN[name]
    return f"*{name}*" if inspect.isclass(alias) else ", ".join(f"`{value}`" for value in alias.__args__)


def _default(node: ast.expr | None) -> str:
    """What a field is where a profile does not say it."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Field":
        node = node.args[0] if node.args else None
    if node is None:
        return "(required)"
    if isinstance(node, ast.Call):
        return "its defaults"
    value = ast.literal_eval(node)
    names = {True: "true", False: "false", None: "null"}
    if isinstance(value, tuple) and value:
        value = ", ".join(map(str, value))
    return "" if value in ((), {}, "", None) else f"`{names.get(value, value) if isinstance(value, bool) else value}`"


def _meaning(node: ast.AnnAssign, remarks: dict[int, str]) -> str:
    """The remark beside a field, and those below it that go on about it."""
    last = node.end_lineno or node.lineno
    found = [remarks[line] for line in range(node.lineno, last + 1) if line in remarks]
    while remarks.get(last + 1, "").startswith(":"):
        last += 1
        found.append(remarks[last].removeprefix(":").strip())
    said = " ".join(found).replace("<", "&lt;")
    return re.sub(r"\b(None|True|False)\b", lambda word: {"None": "null"}.get(word[0], word[0].lower()), said)


def _remarks(source: str) -> dict[int, str]:
    """Every comment by its line."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("#").strip() for token in tokens if token.type == tokenize.COMMENT}


def main(arguments: Iterable[str]) -> int:
    """Write the pages, or with --check only say whether they are up to date."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args(list(arguments)).check
    stale = [page for page in PAGES if rewritten(page.read_text("utf-8")) != page.read_text("utf-8")]
    for page in stale:
        if check:
            print(f"docs/{page.name} is not up to date: run `make docs`.")
        else:
            page.write_text(rewritten(page.read_text("utf-8")), "utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
