# What tokenwire_trio/llama_server.py uses of xllamacpp, which ships no types of its own.
# As a file of ours it also lets the type checkers run where the extra `local` isn't installed.

class CommonParamsModel:
    path: str

class CpuParams:
    n_threads: int

class CommonParams:
    model: CommonParamsModel
    model_alias: set[str]
    hostnames: list[str]
    port: int
    n_parallel: int
    n_ctx: int
    cpuparams: CpuParams
    cpuparams_batch: CpuParams
    api_keys: list[str]
    verbosity: int

class Server:
    def __init__(self, params: CommonParams) -> None: ...
    @property
    def listening_address(self) -> str: ...
