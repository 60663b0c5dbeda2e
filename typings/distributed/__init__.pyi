"""What we use of distributed, which declares itself typed and mostly is not."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

class LocalCluster:
    def __init__(
        self,
        *,
        n_workers: int,
        threads_per_worker: int,
        processes: bool,
        dashboard_address: str | None,
        env: Mapping[str, str],
        local_directory: str,
    ) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

class Client:
    def __init__(self, address: LocalCluster) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def compute(self, collections: Any, sync: bool = False) -> Any: ...
