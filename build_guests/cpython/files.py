"""Which parts of CPython's source go into the guest."""

from __future__ import annotations

from typing import Final

_PARSER: Final = (
    *("pegen", "pegen_errors", "action_helpers", "parser", "string_parser", "peg_api", "token"),
    *("myreadline", "lexer/buffer", "lexer/lexer", "lexer/state", "tokenizer/file_tokenizer"),
    *("tokenizer/readline_tokenizer", "tokenizer/string_tokenizer", "tokenizer/utf8_tokenizer"),
    "tokenizer/helpers",
)

_OBJECTS: Final = (
    *("abstract", "boolobject", "bytes_methods", "bytearrayobject", "bytesobject", "call"),
    *("capsule", "cellobject", "classobject", "codeobject", "complexobject", "descrobject"),
    *("enumobject", "exceptions", "genericaliasobject", "genobject", "fileobject", "floatobject"),
    *("frameobject", "funcobject", "iterobject", "listobject", "longobject", "dictobject"),
    *("odictobject", "memoryobject", "methodobject", "moduleobject", "namespaceobject", "object"),
    *("obmalloc", "picklebufobject", "rangeobject", "setobject", "sliceobject", "structseq"),
    *("tupleobject", "typeobject", "typevarobject", "unicodeobject", "unicodectype"),
    *("unionobject", "weakrefobject"),
)

_PYTHON: Final = (
    *("_warnings", "Python-ast", "Python-tokenize", "asdl", "assemble", "ast", "ast_opt"),
    *("ast_unparse", "bltinmodule", "brc", "ceval", "codecs", "compile", "context"),
    *("critical_section", "crossinterp", "dynamic_annotations", "errors", "flowgraph", "frame"),
    *("future", "gc", "gc_free_threading", "gc_gil", "getargs", "getcompiler", "getcopyright"),
    *("getplatform", "getversion", "ceval_gil", "hamt", "hashtable", "import", "importdl"),
    *("initconfig", "interpconfig", "instrumentation", "instruction_sequence", "intrinsics"),
    *("jit", "legacy_tracing", "lock", "marshal", "modsupport", "mysnprintf", "mystrtoul"),
    *("object_stack", "optimizer", "optimizer_analysis", "optimizer_symbols", "parking_lot"),
    *("pathconfig", "preconfig", "pyarena", "pyctype", "pyfpe", "pyhash", "pylifecycle"),
    *("pymath", "pystate", "pythonrun", "pytime", "qsbr", "bootstrap_hash", "specialize"),
    *("structmember", "symtable", "sysmodule", "thread", "traceback", "tracemalloc", "getopt"),
    *("pystrcmp", "pystrtod", "pystrhex", "dtoa", "formatter_unicode", "fileutils"),
    *("suggestions", "perf_trampoline", "perf_jit_trampoline"),
)

MODULES: Final[dict[str, tuple[str, ...]]] = {
    "_abc": ("_abc",),
    "_bisect": ("_bisectmodule",),
    "_blake2": ("_blake2/blake2module", "_blake2/blake2b_impl", "_blake2/blake2s_impl"),
    "_codecs": ("_codecsmodule",),
    "_collections": ("_collectionsmodule",),
    "_contextvars": ("_contextvarsmodule",),
    "_csv": ("_csv",),
    "_datetime": ("_datetimemodule",),
    "_decimal": (
        "_decimal/_decimal",
        *(
            f"_decimal/libmpdec/{name}"
            for name in (
                *("basearith", "constants", "context", "convolute", "crt", "difradix2", "fnt"),
                *("fourstep", "io", "mpalloc", "mpdecimal", "numbertheory", "sixstep"),
                "transpose",
            )
        ),
    ),
    "_functools": ("_functoolsmodule",),
    "_heapq": ("_heapqmodule",),
    "_io": (
        *("_io/_iomodule", "_io/iobase", "_io/fileio", "_io/bufferedio", "_io/textio"),
        *("_io/bytesio", "_io/stringio"),
    ),
    "_json": ("_json",),
    "_locale": ("_localemodule",),
    "_md5": ("md5module", "_hacl/Hacl_Hash_MD5"),
    "_opcode": ("_opcode",),
    "_operator": ("_operator",),
    "_pickle": ("_pickle",),
    "_queue": ("_queuemodule",),
    "_random": ("_randommodule",),
    "_sha1": ("sha1module", "_hacl/Hacl_Hash_SHA1"),
    "_sha2": ("sha2module", "_hacl/Hacl_Hash_SHA2"),
    "_sha3": ("sha3module", "_hacl/Hacl_Hash_SHA3"),
    "_signal": ("signalmodule",),
    "_sre": ("_sre/sre",),
    "_stat": ("_stat",),
    "_statistics": ("_statisticsmodule",),
    "_struct": ("_struct",),
    "_suggestions": ("_suggestions",),
    "_symtable": ("symtablemodule",),
    "_sysconfig": ("_sysconfig",),
    "_thread": ("_threadmodule",),
    "_tracemalloc": ("_tracemalloc",),
    "_typing": ("_typingmodule",),
    "_weakref": ("_weakref",),
    "array": ("arraymodule",),
    "atexit": ("atexitmodule",),
    "binascii": ("binascii",),
    "cmath": ("cmathmodule",),
    "errno": ("errnomodule",),
    "faulthandler": ("faulthandler",),
    "itertools": ("itertoolsmodule",),
    "math": ("mathmodule",),
    "posix": ("posixmodule",),
    "time": ("timemodule",),
    "unicodedata": ("unicodedata",),
    "zlib": ("zlibmodule",),
}
"""Built-in modules and their sources below `Modules`. No sockets, processes, `ctypes` or `mmap`."""

CORE_MODULES: Final[dict[str, str]] = {
    "_ast": "PyInit__ast",
    "_imp": "PyInit__imp",
    "_string": "PyInit__string",
    "_tokenize": "PyInit__tokenize",
    "_warnings": "_PyWarnings_Init",
    "builtins": "NULL",
    "gc": "PyInit_gc",
    "marshal": "PyMarshal_Init",
    "sys": "NULL",
}
"""Modules of the interpreter itself, and the functions that make them."""

SOURCES: Final[tuple[str, ...]] = tuple(
    f"{name}.c"
    for name in (
        *(f"Parser/{name}" for name in _PARSER),
        *(f"Objects/{name}" for name in _OBJECTS),
        *(f"Python/{name}" for name in _PYTHON),
        *("Modules/main", "Modules/gcmodule"),
        *(f"Modules/{name}" for names in MODULES.values() for name in names),
    )
)

ZLIB_SOURCES: Final[tuple[str, ...]] = tuple(
    f"{name}.c"
    for name in (
        *("adler32", "compress", "crc32", "deflate", "infback", "inffast", "inflate"),
        *("inftrees", "trees", "uncompr", "zutil"),
    )
)

FLAGS: Final[tuple[str, ...]] = (
    *("-O2", "-DNDEBUG", "-std=c11", "-fwrapv", "-fno-sanitize=undefined", "-w"),
    *("-g0", "-Wno-int-conversion"),
    *("-D_WASI_EMULATED_SIGNAL", "-D_WASI_EMULATED_GETPID", "-D_WASI_EMULATED_PROCESS_CLOCKS"),
    *("-D_BSD_SOURCE", "-D_DEFAULT_SOURCE", "-DCONFIG_32=1", "-DANSI=1"),
    *("-DPy_BUILD_CORE", "-DPy_BUILD_CORE_BUILTIN"),
    *('-DVERSION="3.13"', '-DPLATLIBDIR="lib"', '-DPLATFORM="wasi"', '-DABIFLAGS=""'),
)
"""For CPython and zlib in every mode: a slow interpreter helps nobody to debug llmspell."""

LIBRARIES: Final[tuple[str, ...]] = (
    *("-lm", "-lwasi-emulated-signal", "-lwasi-emulated-getpid"),
    "-lwasi-emulated-process-clocks",
)

STACK: Final = 8 << 20
"""Bytes of the guest's own stack."""
