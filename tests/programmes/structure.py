"""Figures of the code's shape, and the limits that `tests/test_layout.py` holds them to. Prints them: `make structure`.

What is counted, over `flows`, `tasks` and `pipelines`:

- the length of a function, with and without its docstring, from `def` to its last line (95 of 100 are at most as long);
- the lines of a module;
- private helpers with one caller: a function or method `_x` whose name stands at one place of the tree beside its own
  definition, of all functions;
- public functions and classes of module level that are defined under one name in more than one module (the commands of
  `flows/command_line` are all called `command`, and are left out);
- circles of imports, those inside functions and for type checkers alone included;
- climbs of somebody who follows a job: `generate_job` is read from the top, and each function of `pipelines/run` that it
  calls is opened there and then, unless it has been read. A climb leads back into a file from which one has come and to
  which one has not returned yet. How often a file is opened once more after one has left it is printed as well: the
  methods of what every step is given, the run and the provider session, are such.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

HOUSE = Path(__file__).parents[2]
STOREYS = ("flows", "tasks", "pipelines")
FOLLOWED = ("pipelines.run.job.lifecycle", "generate_job", "pipelines.run")

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Limits(NamedTuple):
    """What the house allows, each at most."""

    p95_lines: int = 24  #: of a function, without its docstring
    module_lines: int = 350
    one_caller_percent: float = 14.9
    names_defined_twice: int = 4
    circles: int = 0
    climbs: int = 4  #: back into one file


LIMITS = Limits()


@dataclass(frozen=True)
class Module:
    """A module of ours, read."""

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        """What is written in it."""
        return self.path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax."""
        return ast.parse(self.text, str(self.path))

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Everything in its syntax."""
        return [*ast.walk(self.tree)]

    @property
    def room(self) -> str:
        """The folder that it belongs to: a storey, or a room of `pipelines`."""
        return "/".join(self.name.split(".")[: 2 if self.name.startswith("pipelines.") else 1])

    @cached_property
    def functions(self) -> list[Function]:
        """Every function, method and function inside of one."""
        return [node for node in self.nodes if isinstance(node, Function)]

    @cached_property
    def imported(self) -> list[tuple[str, str, str]]:
        """Every import, wherever it stands: module, the name that is taken from it or nothing, and how it is called here."""
        found = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found += [(each.name, "", each.asname or each.name) for each in node.names]
            elif isinstance(node, ast.ImportFrom):
                found += [(node.module or "", each.name, each.asname or each.name) for each in node.names]
        return found


def modules() -> dict[str, Module]:
    """Every module of the three packages, by its dotted name."""
    found = {}
    for path in (path for storey in STOREYS for path in sorted((HOUSE / storey).rglob("*.py"))):
        parts = path.relative_to(HOUSE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = Module(name, path)
    return found


def length(function: Function, *, docstring: bool) -> int:
    """The lines of a function."""
    lines = function.end_lineno - function.lineno + 1
    if not docstring and ast.get_docstring(function) is not None:
        lines -= function.body[0].end_lineno - function.body[0].lineno + 1
    return lines


def percentile(numbers: list[int], share: float = 0.95) -> int:
    """What a share of the numbers does not exceed."""
    return sorted(numbers)[int(len(numbers) * share)]


def one_caller_helpers(house: dict[str, Module]) -> list[tuple[Module, Function]]:
    """Private functions that are named at one place beside their definition."""
    named: Counter[str] = Counter()
    here: dict[str, Counter[str]] = {}
    for module in house.values():
        names = [node.id for node in module.nodes if isinstance(node, ast.Name)]
        names += [node.attr for node in module.nodes if isinstance(node, ast.Attribute)]
        here[module.name] = Counter(names)
        named.update(name for _, name, _ in module.imported)
    return [
        (module, function)
        for module in house.values()
        for function in module.functions
        if function.name.startswith("_") and not function.name.startswith("__")
        if here[module.name][function.name] + named[function.name] == 1
    ]


def names_defined_twice(house: dict[str, Module]) -> dict[str, list[str]]:
    """Public functions and classes of module level that several modules define, with these modules."""
    places: dict[str, list[str]] = {}
    for module in house.values():
        for node in module.tree.body:
            is_ours = isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")
            if is_ours and not (node.name == "command" and module.name.startswith("flows.command_line.")):
                places.setdefault(node.name, []).append(module.name)
    return {name: found for name, found in sorted(places.items()) if len(set(found)) > 1}


def circles(house: dict[str, Module]) -> list[list[str]]:
    """Groups of modules each of which is reached again from itself by imports (strongly connected components, Tarjan)."""
    arrows = {name: sorted(_targets(module, house)) for name, module in house.items()}
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        number[name] = lowest[name] = len(number)
        path.append(name)
        for target in arrows[name]:
            if target not in number:
                visit(target)
                lowest[name] = min(lowest[name], lowest[target])
            elif target in path:
                lowest[name] = min(lowest[name], number[target])
        if lowest[name] == number[name]:
            group = path[path.index(name) :]
            del path[path.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in arrows:
        if name not in number:
            visit(name)
    return found


def _targets(module: Module, house: dict[str, Module]) -> set[str]:
    """The modules of ours that one imports: the module that a name is taken from, or that the name is."""
    wanted = (f"{source}.{name}" if f"{source}.{name}" in house else source for source, name, _ in module.imported)
    return {name for name in wanted if name in house and name != module.name}


class Reader:
    """Follows one function through everything that it calls, as somebody does who reads the code for the first time."""

    def __init__(self, house: dict[str, Module], within: str) -> None:
        self.house = house
        self.within = within
        self.read: set[tuple[str, str]] = set()
        self.opened: Counter[str] = Counter()
        self.climbs: Counter[str] = Counter()
        self._path: list[str] = []

    def follow(self, module: Module, name: str, sent_from: str = "") -> None:
        """Read one function, or a method (`Class.method`), and what it calls, in the order of its lines."""
        function = self._definition(module, name)
        if function is None or (module.name, name) in self.read:
            return
        self.read.add((module.name, name))
        if sent_from != module.name:
            self.opened[module.name] += 1
            self.climbs[module.name] += module.name in self._path
        self._path.append(module.name)
        owner = name.rpartition(".")[0]
        kinds = self._kinds(module, function) | ({"self": (module, owner)} if owner else {})
        for node in _in_order(function):
            for target, called in self._called(module, node, kinds):
                if target.name.startswith(self.within):
                    self.follow(target, called, module.name)
        self._path.pop()

    def _definition(self, module: Module, name: str) -> Function | None:
        owner, _, last = name.rpartition(".")
        body: list[ast.stmt] = module.tree.body
        if owner:
            body = next((node.body for node in body if isinstance(node, ast.ClassDef) and node.name == owner), [])
        return next((node for node in body if isinstance(node, Function) and node.name == last), None)

    def _kinds(self, module: Module, function: Function) -> dict[str, tuple[Module, str]]:
        """The classes of ours that the arguments are of."""
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        named = {each.arg: ast.unparse(each.annotation) for each in arguments if each.annotation is not None}
        return {name: self._where(module, kind) for name, kind in named.items() if kind.isidentifier()}

    def _where(self, module: Module, name: str) -> tuple[Module, str]:
        """Where a name that stands in a module is defined."""
        for source, taken, called in module.imported:
            if called == name and taken and source in self.house:
                return self.house[source], taken
        return module, name

    def _called(
        self, module: Module, node: ast.AST, kinds: dict[str, tuple[Module, str]]
    ) -> Iterator[tuple[Module, str]]:
        """What a name or an attribute in a function leads to. A function that is handed on counts as one that is called."""
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and not hasattr(builtins, node.id):
            yield self._where(module, node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in kinds:
            where, kind = kinds[node.value.id]
            yield where, f"{kind}.{node.attr}"


def _in_order(function: Function) -> list[ast.AST]:
    nodes = [node for statement in function.body for node in ast.walk(statement) if hasattr(node, "lineno")]
    return sorted(nodes, key=lambda node: (node.lineno, node.col_offset))


def followed(house: dict[str, Module]) -> Reader:
    """Follow a job through the room that runs it."""
    module, function, within = FOLLOWED
    reader = Reader(house, within)
    reader.follow(house[module], function)
    return reader


def main() -> None:
    """Print every figure, beside its limit, and what stands behind it."""
    house = modules()
    functions = [(module, function) for module in house.values() for function in module.functions]
    helpers = one_caller_helpers(house)
    for docstring in (False, True):
        lengths = [length(function, docstring=docstring) for _, function in functions]
        kind = "with" if docstring else "without"
        print(f"lines of a function, {kind} docstring: p95 {percentile(lengths)}, longest {max(lengths)}")
    print(f"  (limit: p95 {LIMITS.p95_lines} without docstring)")
    for room in sorted({module.room for module in house.values()}):
        inside = [length(function, docstring=False) for module, function in functions if module.room == room]
        alone = sum(module.room == room for module, _ in helpers)
        if inside:
            print(f"  {room:24} p95 {percentile(inside):3}, {alone:3} of {len(inside):4} are helpers with one caller")
    sizes = {name: len(module.text.splitlines()) for name, module in house.items()}
    longest = max(sizes, key=sizes.__getitem__)
    print(f"lines of a module: {sizes[longest]} in {longest} (limit {LIMITS.module_lines})")
    share = 100 * len(helpers) / len(functions)
    print(f"private helpers with one caller: {share:.1f} % of {len(functions)} (limit {LIMITS.one_caller_percent} %)")
    twice = names_defined_twice(house)
    print(f"public names defined more than once: {len(twice)} (limit {LIMITS.names_defined_twice})")
    for name, places in twice.items():
        print(f"  {name}: {', '.join(places)}")
    found = circles(house)
    print(f"circles of imports: {len(found)} (limit {LIMITS.circles})")
    for group in found:
        print(f"  {', '.join(group)}")
    reader = followed(house)
    print(f"climbs back into one file, following a job: {max(reader.climbs.values())} (limit {LIMITS.climbs})")
    for name, times in reader.opened.items():
        print(f"  {name}: opened {times} times, {reader.climbs[name]} of them a climb")
    if "--helpers" in sys.argv:
        for module, function in helpers:
            print(f"  {module.name}: {function.name}")


if __name__ == "__main__":
    main()
