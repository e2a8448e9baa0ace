"""Numbers and names as people read them."""
import json
import math


def si(value, unit, digits=3):
    if value is None:
        return "-"
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}".strip()
    exponent = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    step = max(-5, min(6, exponent // 3))
    decimals = max(0, digits - 1 - (exponent - 3 * step))
    return f"{value / 10 ** (3 * step):.{decimals}f} {'fpnµm kMGTPE'[step + 5].strip()}{unit}".strip()


def percent(share):
    return f"{100 * share:.1f} %"


def words(name):
    return str(name).replace("_", " ")


def yaml_of(value, indent=0):
    pad = "  " * indent
    if isinstance(value, dict):
        lines = []
        for k, v in value.items():
            if isinstance(v, (dict, list)) and v:
                lines.append(f"{pad}{k}:")
                lines.append(yaml_of(v, indent + 1))
            else:
                lines.append(f"{pad}{k}: {json.dumps(v)}")
        return "\n".join(lines)
    if isinstance(value, list):
        return "\n".join(f"{pad}- {json.dumps(v)}" for v in value)
    return pad + json.dumps(value)


def number(text):
    """The number that a text is, or None."""
    try:
        return float(text)
    except ValueError:
        return None
