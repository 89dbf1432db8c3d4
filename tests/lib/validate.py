#!/usr/bin/env python3
"""validate.py SCHEMA <LINES: hold each line, a JSON value, to a JSON Schema.

Prints the number of lines; exit 1 with the first violations if there are any.
"""
import json
import sys

import jsonschema


def main(path):
    with open(path) as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    # A manifest's lines refer to the catalog's schema beside it.
    validator = jsonschema.Draft202012Validator(schema)
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


main(sys.argv[1])
