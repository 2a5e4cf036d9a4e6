"""Registration of kinds: a fault, probe, workload or check is one class in one file.

The class is its YAML schema, its documentation entry and its behaviour. Registering validates what
users rely on: a unique name, a docstring whose first line explains it, and an example.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
C = TypeVar("C", bound=type)


class Registry(Generic[K]):
    """The kinds of one category, by name; filled by importing every module of its package once."""

    def __init__(self, category: str, package: str) -> None:
        self.category = category
        self._package = package
        self._kinds: dict[str, type[K]] = {}
        self._loaded = False

    def register(self, name: str) -> Callable[[C], C]:
        """Return the class decorator that registers a kind under `name`.

        Raises `TypeError` when the name is taken, or the docstring or the example is missing.
        """

        def decorate(cls: C) -> C:
            if name in self._kinds:
                raise TypeError(f"{self.category} `{name}` is registered twice")
            if not (cls.__doc__ or "").strip():
                raise TypeError(f"{self.category} `{name}` has no docstring")
            if not getattr(cls, "example", "").strip():
                raise TypeError(f"{self.category} `{name}` has no example")
            cls.kind = name  # type: ignore[attr-defined]  # every category declares it
            self._kinds[name] = cls
            return cls

        return decorate

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("_") and not module.ispkg:
                importlib.import_module(f"{self._package}.{module.name}")

    def __iter__(self) -> Iterator[type[K]]:
        self._load()
        return iter([self._kinds[name] for name in sorted(self._kinds)])

    def names(self) -> list[str]:
        self._load()
        return sorted(self._kinds)

    def get(self, name: str) -> type[K] | None:
        self._load()
        return self._kinds.get(name)


def summary(kind: type) -> str:
    """Return the first line of a kind's docstring: what `list` and the docs print."""
    return inspect.cleandoc(kind.__doc__ or "").splitlines()[0]
