"""Which operators a network may have.

None of them loops, and what they make has a shape that follows from the input's. So a network takes
the same time and memory for every picture of a size, and one that was tried once goes on to work.
"""

import struct

from ml.errors import ModelError

ALLOWED = frozenset(
    """
    ADD SUB MUL DIV MAXIMUM MINIMUM FLOOR_DIV FLOOR_MOD NEG ABS EXP SQUARE SQRT RSQRT DEQUANTIZE
    CONV_2D DEPTHWISE_CONV_2D TRANSPOSE_CONV FULLY_CONNECTED MAX_POOL_2D AVERAGE_POOL_2D MEAN SUM
    RELU RELU6 LEAKY_RELU PRELU ELU GELU HARD_SWISH LOGISTIC TANH SOFTMAX
    SHAPE RESHAPE EXPAND_DIMS SQUEEZE TRANSPOSE CONCATENATION PACK SLICE STRIDED_SLICE TILE PAD
    SPACE_TO_BATCH_ND BATCH_TO_SPACE_ND RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR
    """.split()  # noqa: SIM905 - a list of them would be a page long
)


def check_operators(name: str, network: bytes) -> None:
    """Raise ModelError if a ``.tflite`` file of this name is none, or has another operator."""
    # Imported late: nothing that serves needs it.
    from ai_edge_litert import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items()}
    try:
        model = schema.Model.GetRootAs(network, 0)
        for position in range(model.OperatorCodesLength()):
            operator = model.OperatorCodes(position)
            # Older files say it in eight bits only, others in both places.
            code = max(operator.BuiltinCode(), operator.DeprecatedBuiltinCode())
            if names.get(code) not in ALLOWED:
                raise ModelError(f"{name} may not have the operator {names.get(code, code)}")
    except (struct.error, ValueError, TypeError, IndexError, OverflowError) as error:
        raise ModelError(f"{name} is damaged: {error}") from error
