"""What we use of dask.bag."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

class Bag:
    def __dask_graph__(self) -> Mapping[Any, Any]: ...
    def map_partitions(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Self: ...

def from_sequence(
    seq: Iterable[Any], partition_size: int | None = None, npartitions: int | None = None
) -> Bag: ...
