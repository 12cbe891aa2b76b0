"""Converts an archive of PyTorch to ONNX: python-in-sandbox.ts starts it, and torch-file.ts reads what it writes.

Reads `input`: an archive of torch.jit.save or of torch.export.save. Writes model.onnx, samples.safetensors (inputs,
and PyTorch's own outputs on them) and report.json. The archive is hostile code: this process is its sandbox.
"""
import ctypes
import inspect
import json
import sys
import warnings

warnings.filterwarnings('ignore')
import torch

try:
    import torchvision  # noqa: F401  Archives may call its operators.
except Exception:
    pass

OPTIONS = json.loads(sys.argv[1])
# The newer one has the operators that the older one lacks.
OPSETS = (17, 20)
# Sizes of named axes at the two samples: those that an exporter has written into the graph show at the other one.
BATCHES = (2, 5)
SIZES = (64, 96)
# Sizes of pictures that networks are trained on. Those with a dense layer at their end take one of them alone.
PICTURES = (224, 32, 28, 64, 96, 128, 256, 299, 384, 512)
MOST_BYTES = 2**31 - 2**20
TYPES = {
    'float32': (torch.float32, 'F32'),
    'float64': (torch.float64, 'F64'),
    'float16': (torch.float16, 'F16'),
    'bfloat16': (torch.bfloat16, 'BF16'),
    'int8': (torch.int8, 'I8'),
    'int16': (torch.int16, 'I16'),
    'int32': (torch.int32, 'I32'),
    'int64': (torch.int64, 'I64'),
    'uint8': (torch.uint8, 'U8'),
    'bool': (torch.bool, 'BOOL'),
}
NAMES = {each: (name, code) for name, (each, code) in TYPES.items()}


def refuse(reason):
    print(f'REFUSED: {reason}', file=sys.stderr)
    sys.exit(3)


def first_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f'{type(error).__name__}: {lines[0]}' if lines else type(error).__name__


class Input:
    """A tensor that the model takes; a name in its shape is an axis of any size."""

    def __init__(self, name, dtype, shape, first=None):
        self.name, self.dtype, self.shape = name, dtype, list(shape)
        # Sizes of named axes at the first sample.
        self.first = first or {}

    def axes(self):
        return {at: size for at, size in enumerate(self.shape) if isinstance(size, str)}

    def sizes(self, sample):
        added = BATCHES[sample] - BATCHES[0]
        default = lambda name: (BATCHES if name == 'batch' else SIZES)[sample]
        named = lambda name: self.first[name] + added if name in self.first else default(name)
        return [named(size) if isinstance(size, str) else size for size in self.shape]

    def draw(self, sample, most):
        shape = self.sizes(sample)
        if self.dtype == torch.bool:
            return torch.rand(shape) < 0.5
        if self.dtype.is_floating_point:
            return torch.randn(shape).to(self.dtype)
        return torch.randint(0, most, shape).to(self.dtype)

    def text(self):
        return f"{self.name}={NAMES[self.dtype][0]}[{','.join(map(str, self.shape))}]"


def flat(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return [each for part in value.values() for each in flat(part)]
    if isinstance(value, (list, tuple)):
        return [each for part in value for each in flat(part)]
    refuse(f'Its output has the type {type(value).__name__}; a served model answers with tensors.')


class Runner:
    """Draws inputs that the model takes, and runs it."""

    def __init__(self, module, inputs):
        self.module, self.inputs = module, inputs

    def run(self, sample=0):
        """Whole numbers are drawn below 100 if the model takes them, else they are 0 and 1."""
        for most in (100, 2):
            torch.manual_seed(1)
            drawn = [each.draw(sample, most) for each in self.inputs]
            try:
                with torch.no_grad():
                    outputs = self.module(*[each.clone() for each in drawn])
                return drawn, flat(outputs)
            except Exception as error:
                failure = error
        raise failure

    def takes_both(self):
        try:
            self.run(0)
            self.run(1)
            return True
        except Exception:
            return False


def load_script():
    try:
        try:
            module = torch.jit.load('input', map_location='cpu', _restore_shapes=True)
        except TypeError:
            module = torch.jit.load('input', map_location='cpu')
    except Exception as error:
        refuse(f'PyTorch {torch.__version__} cannot load it: {first_line(error)}')
    return module.eval()


def arguments(module):
    """Names of the tensors that forward takes. Arguments with a default keep it."""
    names = []
    for each in module.forward.schema.arguments[1:]:
        if str(each.type) == 'Tensor':
            names.append(each.name)
        elif not each.has_default_value():
            refuse(f'Its forward takes {each.name} of the type {each.type}; a served model takes tensors. Wrap it in a module that does.')
    if not names:
        refuse('Its forward takes no tensor.')
    return names


def traced_inputs(module, names):
    """The inputs that torch.jit.trace saw; an archive of torch.jit.script has none."""
    found = []
    values = {each.debugName().split('.')[0]: each.type() for each in module.graph.inputs()}
    for name in names:
        try:
            kind = values[name]
            found.append(Input(name, kind.dtype(), kind.sizes()))
        except Exception:
            return None
        if found[-1].dtype not in NAMES or found[-1].shape is None:
            return None
    return found


def parameter(module, value):
    """The tensor that a chain of GetAttr in an inlined graph names."""
    path = []
    node = value.node()
    while node.kind() == 'prim::GetAttr':
        path.insert(0, node.s('name'))
        node = next(node.inputs()).node()
    for name in path:
        module = getattr(module, name)
    return module if isinstance(module, torch.Tensor) else None


def inferred_inputs(module, names):
    """The shape of one input from the first layer that takes it: dense or convolutional."""
    if len(names) > 1:
        return None
    try:
        graph = module.inlined_graph
        taken = list(graph.inputs())[1].debugName()
        first = next(each for each in graph.nodes() if taken in [i.debugName() for i in each.inputs()])
        weight = parameter(module, list(first.inputs())[1])
        kind = first.kind().replace('_convolution', 'conv').removeprefix('aten::')
    except Exception:
        return None
    if weight is None or weight.dtype not in NAMES:
        return None
    if kind == 'linear':
        return [Input(names[0], weight.dtype, ['batch', weight.shape[1]])]
    if kind != 'conv2d' or weight.dim() != 4:
        return None
    groups = 1
    try:
        groups = list(first.inputs())[-1].toIValue() or 1
    except Exception:
        pass
    channels = weight.shape[1] * groups
    takes = lambda *size: Runner(module, [Input(names[0], weight.dtype, ['batch', channels, *size])]).takes_both()
    fitting = [size for size in PICTURES[:4] if takes(size, size)]
    if len(fitting) > 1:
        return [Input(names[0], weight.dtype, ['batch', channels, 'height', 'width'])]
    for size in fitting or PICTURES[4:]:
        if takes(size, size):
            return [Input(names[0], weight.dtype, ['batch', channels, size, size])]
    return None


def given_inputs(names):
    given = {each['name']: each for each in OPTIONS['inputs']}
    unknown = [name for name in given if name not in names]
    if unknown:
        refuse(f"It takes no input {', '.join(unknown)}; it takes {', '.join(names)}.")
    missing = [name for name in names if name not in given]
    if missing:
        refuse(f"--input gives no shape of {', '.join(missing)}; add {examples(missing)}.")
    return [Input(name, TYPES[given[name]['type']][0], given[name]['shape']) for name in names]


def examples(names):
    return ' '.join(f'--input {name}=float32[batch,3,224,224]' for name in names)


def with_batch(module, inputs, notes):
    """Frees the first axis of inputs whose axes have no names, if the model runs at other sizes of it."""
    if any(each.axes() for each in inputs) or not all(each.shape for each in inputs):
        return inputs
    free = [Input(each.name, each.dtype, ['batch', *each.shape[1:]]) for each in inputs]
    if len({each.shape[0] for each in inputs}) == 1 and Runner(module, free).takes_both():
        return free
    notes.append(f'The first axis keeps its size of {inputs[0].shape[0]}: the model runs at no other one.')
    return inputs


def from_script(notes):
    module = load_script()
    names = arguments(module)
    if OPTIONS['inputs']:
        inputs = given_inputs(names)
    else:
        inputs = traced_inputs(module, names) or inferred_inputs(module, names)
    if inputs is None:
        refuse(f'The archive does not hold the shapes of its inputs. Add one option for each, with its own numbers: {examples(names)}. A name in place of a number is an axis of any size.')
    inputs = with_batch(module, inputs, notes)
    try:
        Runner(module, inputs).run()
    except Exception as error:
        refuse(f"It does not run on {' '.join(each.text() for each in inputs)}: {first_line(error)}. Give the shapes with --input NAME=TYPE[SHAPE].")
    return module, inputs


def from_program(notes):
    try:
        program = torch.export.load('input')
        module = program.module()
    except Exception as error:
        refuse(f'PyTorch {torch.__version__} cannot load it: {first_line(error)}')
    if OPTIONS['inputs']:
        refuse('An archive of torch.export holds the shapes of its inputs: leave --input out.')
    taken = set(program.graph_signature.user_inputs)
    nodes = [each for each in program.graph.nodes if each.op == 'placeholder' and each.name in taken]
    symbols, first, inputs = {}, {}, []
    for node in nodes:
        value = node.meta.get('val')
        if not isinstance(value, torch.Tensor) or value.dtype not in NAMES:
            refuse(f'Its input {node.name} is no tensor of numbers.')
        shape = []
        for at, size in enumerate(value.shape):
            if not isinstance(size, int):
                free = 'batch' if at == 0 and 'batch' not in symbols.values() else f'size{len(symbols)}'
                name = symbols.setdefault(str(size), free)
                first[name] = size.node.hint or SIZES[0]
                size = name
            shape.append(size)
        inputs.append(Input(node.name, value.dtype, shape, first))
    if not symbols:
        notes.append('All axes keep the size that they were exported with; torch.export.export(…, dynamic_shapes=…) frees them.')
    # The tracer makes constants of sizes, unless methods of tensors give and take them.
    aten = torch.ops.aten
    methods = {
        aten.sym_size.int: 'size',
        aten.view.default: 'view',
        aten.reshape.default: 'reshape',
        aten.expand.default: 'expand',
        aten.repeat.default: 'repeat',
    }
    for node in module.graph.nodes:
        if node.op == 'call_function' and node.target in methods:
            node.op, node.target = 'call_method', methods[node.target]
    module.recompile()
    module._forward_pre_hooks.clear()
    return Program(module), inputs


class Program(torch.nn.Module):
    """A program as the exporter takes it: with a mode, and with the names of its parameters."""

    def __init__(self, program):
        super().__init__()
        for name, child in program.named_children():
            self.add_module(name, child)
        for name, each in program.named_parameters(recurse=False):
            self.register_parameter(name, each)
        for name, each in program.named_buffers(recurse=False):
            self.register_buffer(name, each)
        object.__setattr__(self, 'program', program)

    def forward(self, *inputs):
        return self.program(*inputs)


def export(module, inputs, outputs):
    names = ['output'] if len(outputs) == 1 else [f'output_{at}' for at in range(len(outputs))]
    options = {
        'input_names': [each.name for each in inputs],
        'output_names': names,
        'dynamic_axes': {each.name: each.axes() for each in inputs if each.axes()},
    }
    if 'dynamo' in inspect.signature(torch.onnx.export).parameters:
        options['dynamo'] = False
    drawn, _ = Runner(module, inputs).run()
    failures = []
    for opset in OPSETS:
        try:
            with torch.no_grad():
                torch.onnx.export(module, tuple(drawn), 'model.onnx', opset_version=opset, **options)
            return opset, names
        except Exception as error:
            failures.append(error)
    refuse(f'PyTorch {torch.__version__} cannot export it to ONNX: {first_line(failures[0])}')


def write_samples(samples):
    header, parts, end = {}, [], 0
    for name, tensor in samples:
        tensor = tensor.detach().contiguous()
        size = tensor.numel() * tensor.element_size()
        if tensor.dtype not in NAMES:
            refuse(f'{name} has the type {tensor.dtype}, which is not served.')
        header[name] = {'dtype': NAMES[tensor.dtype][1], 'shape': list(tensor.shape), 'data_offsets': [end, end + size]}
        parts.append(ctypes.string_at(tensor.data_ptr(), size) if size else b'')
        end += size
    text = json.dumps(header).encode()
    with open('samples.safetensors', 'wb') as file:
        file.write(len(text).to_bytes(8, 'little') + text)
        file.writelines(parts)


def main():
    notes = []
    module, inputs = (from_program if OPTIONS['format'] == 'torch-export' else from_script)(notes)
    size = sum(each.numel() * each.element_size() for each in (*module.parameters(), *module.buffers()))
    if size > MOST_BYTES:
        refuse(f'Its weights take {size} bytes; a converted model has at most {MOST_BYTES}. Export it where it was made, with torch.onnx.export.')
    for each in module.parameters():
        each.requires_grad_(False)
    runner = Runner(module, inputs)
    samples = [runner.run(0)]
    if any(each.axes() for each in inputs):
        try:
            samples.append(runner.run(1))
        except Exception as error:
            notes.append(f"It was compared at one size of its axes: at others PyTorch's own run ends with {first_line(error)}.")
    opset, names = export(module, inputs, samples[0][1])
    write_samples([
        (f'{at}/{kind}/{name}', tensor)
        for at, (drawn, outputs) in enumerate(samples)
        for kind, pairs in (('inputs', zip((each.name for each in inputs), drawn)), ('outputs', zip(names, outputs)))
        for name, tensor in pairs
    ])
    with open('report.json', 'w') as file:
        json.dump({'version': torch.__version__, 'opset': opset, 'inputs': [each.text() for each in inputs], 'notes': notes}, file)


main()
