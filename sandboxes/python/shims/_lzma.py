"""LZMA is not in this sandbox: what needs it can be imported, and fails when it is used."""

FORMAT_AUTO, FORMAT_XZ, FORMAT_ALONE, FORMAT_RAW = range(4)
CHECK_NONE, CHECK_CRC32, CHECK_CRC64, CHECK_SHA256, CHECK_ID_MAX, CHECK_UNKNOWN = 0, 1, 4, 10, 15, 16
FILTER_LZMA1, FILTER_LZMA2, FILTER_DELTA = 0x4000000000000001, 0x21, 0x03
FILTER_X86, FILTER_POWERPC, FILTER_IA64, FILTER_ARM, FILTER_ARMTHUMB, FILTER_SPARC = range(4, 10)
MF_HC3, MF_HC4, MF_BT2, MF_BT3, MF_BT4 = 3, 4, 18, 19, 20
MODE_FAST, MODE_NORMAL = 1, 2
PRESET_DEFAULT, PRESET_EXTREME = 6, 1 << 31


class LZMAError(Exception):
    pass


class _Absent:
    def __init__(self, *arguments, **by_name):
        raise LZMAError("LZMA is not available in this sandbox")


class LZMACompressor(_Absent):
    pass


class LZMADecompressor(_Absent):
    pass


def is_check_supported(check, /):
    return False


def _encode_filter_properties(filter, /):
    raise LZMAError("LZMA is not available in this sandbox")


def _decode_filter_properties(filter_id, encoded, /):
    raise LZMAError("LZMA is not available in this sandbox")
