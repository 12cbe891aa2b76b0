/**
 * The program that runs a Python function over the batches of a piece of rows, with Python's standard library alone. It
 * keeps the rules of `result-rows.ts`.
 */
import { BATCH_CHARACTERS, BATCH_ROWS } from './json-lines.ts';

/** Arguments: file, function or nothing, source, target, first byte, end, options as JSON. */
export const PYTHON_RUNNER = `
import importlib.util, inspect, json, os, sys, traceback

path, name, source, target, start, end, options = sys.argv[1:]
start, end, options = int(start), int(end), json.loads(options)
sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
spec = importlib.util.spec_from_file_location('function', path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
own = [key for key, value in vars(module).items()
       if inspect.isfunction(value) and value.__module__ == 'function']
if not name and len(own) == 1:
    name = own[0]
call = getattr(module, name, None) if name else None
if not callable(call):
    sys.exit(f'FUNCTION_INVALID: {path} has no function {name!r}; it has {", ".join(own) or "none"}')

class Invalid(Exception):
    pass

KINDS = {bool: 'boolean', int: 'number', float: 'number', str: 'text',
         list: 'list', tuple: 'list', dict: 'object'}

def batches(file):
    at, rows, size = start, [], 0
    while at < end:
        line = file.readline()
        at += len(line)
        if not line.strip():
            continue
        rows.append(json.loads(line))
        size += len(line)
        if len(rows) == ${BATCH_ROWS} or size >= ${BATCH_CHARACTERS}:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows

def plain(values):
    return values.tolist() if hasattr(values, 'tolist') else values

def checked(columns):
    if not isinstance(columns, dict) or not columns:
        raise Invalid(f'it returned {columns!r:.60} in place of a dict with a list for each column')
    columns = {str(key): plain(values) for key, values in columns.items()}
    if kinds and set(columns) != set(kinds):
        raise Invalid(f'it returned the columns {", ".join(columns)}, and before {", ".join(kinds)}: all batches must have the same')
    first, count = None, 0
    for key, values in columns.items():
        if not isinstance(values, (list, tuple)):
            raise Invalid(f'column "{key}" is {values!r:.60}, not a list')
        if first is None:
            first, count = key, len(values)
        if len(values) != count:
            raise Invalid(f'column "{key}" has {len(values)} values, and column "{first}" has {count}')
        values = columns[key] = [plain(value) for value in values]
        kind = kinds.setdefault(key, None)
        for value in values:
            if value is None:
                continue
            own = KINDS.get(type(value))
            if own is None or value != value or value in (float('inf'), float('-inf')):
                raise Invalid(f'column "{key}" has the value {value!r:.60}')
            kind = kinds[key] = kind or own
            if kind != own:
                raise Invalid(f'column "{key}" has the value {value!r:.60}, a {own}, and before a {kind}: all values must have one type')
    return columns, count

kinds, done = {}, 0
with open(source, 'rb') as file, open(target, 'w', encoding='utf-8') as out:
    file.seek(start)
    for rows in batches(file):
        names = dict.fromkeys(key for row in rows for key in row)
        try:
            columns, count = checked(call({key: [row.get(key) for row in rows] for key in names}, options))
            for at in range(count):
                line = {key: values[at] for key, values in columns.items()}
                out.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + '\\n')
        except Exception as error:
            with open(source, 'rb') as file:
                left, first = start, done + 1
                while left > 0:
                    chunk = file.read(min(left, 1 << 20))
                    left -= len(chunk)
                    first += chunk.count(b'\\n')
            if not isinstance(error, Invalid):
                traceback.print_exc()
            code = 'FUNCTION_INVALID: ' if isinstance(error, Invalid) else ''
            sys.exit(f'{code}The function {name} failed at rows {first} to {first + len(rows) - 1}: {error}')
        done += len(rows)
`;
