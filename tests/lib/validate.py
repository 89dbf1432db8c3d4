#!/usr/bin/env python3
"""validate.py SCHEMA [--each] <LINES: hold each line, a JSON value, to a JSON
Schema.

Prints the number of lines; exit 1 with the first violations if there are any.
With --each, prints "valid" or "invalid" for each line.
"""
import json
import sys

import jsonschema


def main(path, each=False):
    with open(path) as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    # A manifest's lines refer to the catalog's schema beside it.
    validator = jsonschema.Draft202012Validator(schema)
    if each:
        for line in sys.stdin:
            print("valid" if validator.is_valid(json.loads(line)) else "invalid")
        return
    lines = wrong = 0
    for line in sys.stdin:
        lines += 1
        for violation in validator.iter_errors(json.loads(line)):
            wrong += 1
            if wrong <= 10:
                print(f"line {lines}: {violation.json_path}: "
                      f"{violation.message[:200]}", file=sys.stderr)
    print(lines)
    sys.exit(1 if wrong or not lines else 0)


main(sys.argv[1], sys.argv[2:] == ["--each"])
