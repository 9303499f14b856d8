"""Reads real answers with the models that are generated from the description of the API.

Each answer must be read as it is, and refused if it, or its first element, has another type.
"""
import copy
import json
import pathlib
import sys

from pydantic import TypeAdapter, ValidationError

folder = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(folder))
import channelstream  # noqa: E402


def type_of(schema):
    if "$ref" in schema:
        return getattr(channelstream, schema["$ref"].rsplit("/", 1)[1])
    if "anyOf" in schema:
        kinds = [type_of(each) for each in schema["anyOf"]]
        union = kinds[0]
        for kind in kinds[1:]:
            union = union | kind
        return union
    if schema.get("type") == "array":
        return list[type_of(schema["items"])]
    return {"boolean": bool, "string": str}.get(schema.get("type"), dict)


def broken(value):
    """The value with another type, or a list with an element of another type."""
    return [broken(value[0])] if isinstance(value, list) and value else 7


result = {"read": 0, "refused": 0, "faults": []}
for case in json.loads((folder / "cases.json").read_text()):
    adapter = TypeAdapter(type_of(case["schema"]))
    try:
        adapter.validate_python(copy.deepcopy(case["body"]))
        result["read"] += 1
    except ValidationError as error:
        result["faults"].append(f"{case['line']}: {error}")
    try:
        adapter.validate_python(broken(case["body"]))
        result["faults"].append(f"{case['line']}: read something else")
    except ValidationError:
        result["refused"] += 1
print(json.dumps(result))
