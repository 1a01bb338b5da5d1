"""Configurations of models and their training: JSON files that may extend another."""
import json
import os


def merged(base: dict, change: dict) -> dict:
    """Objects within objects are merged; what else `change` holds takes the place of the base's."""
    result = dict(base)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def read_config(path: str, beneath: tuple = ()) -> dict:
    """The configuration in a file; its `"extends"` names another, beside it, that says all that it does not.

    Ends the program with one line where a file cannot be read or extends itself."""
    try:
        with open(path) as file:
            config = json.load(file)
    except (OSError, ValueError) as error:
        raise SystemExit(f"{path}: no configuration: {error}")
    if not isinstance(config, dict):
        raise SystemExit(f"{path}: no configuration: no JSON object")
    base = config.pop("extends", None)
    if base is None:
        return config
    place = os.path.realpath(path)
    if place in beneath:
        raise SystemExit(f"{path}: extends itself")
    return merged(read_config(os.path.join(os.path.dirname(path), base), (*beneath, place)), config)
