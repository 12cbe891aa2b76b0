import { describe, expect, it } from 'vitest';
import { explain } from './reason.ts';

/** Messages of ONNX Runtime 1.30, word for word. */
describe('explain', () => {
  it.each([
    [
      "Load model from /m.onnx failed:Load model /m.onnx failed. File doesn't exist",
      'There is no model file at /m.onnx.',
    ],
    ['Model data pointer is null.', 'The model file is empty.'],
    [
      'Failed to load model because protobuf parsing failed.',
      'The file is not an ONNX model: it is cut off, corrupt, or something else.',
    ],
    [
      '/onnxruntime_src/onnxruntime/core/graph/model.cc:202 onnxruntime::Model::Model(onnx::ModelProto&&, const onnxruntime::PathString&, const onnxruntime::IOnnxRuntimeOpSchemaRegistryList*, const onnxruntime::logging::Logger&, const onnxruntime::ModelOptions&) Unsupported model IR version: 14, max supported IR version: 13\n',
      'The model has IR version 14; ONNX Runtime supports versions up to 13.',
    ],
    [
      '/onnxruntime_src/onnxruntime/core/graph/model_load_utils.h:46 void onnxruntime::model_load_utils::ValidateOpsetForDomain(const std::unordered_map<std::__cxx11::basic_string<char>, int>&, const onnxruntime::logging::Logger&, bool, const std::string&, int) ONNX Runtime only *guarantees* support for models stamped with official released onnx opset versions. Opset 27 is under development and support for this is limited. The operator schemas and or other functionality may change before next ONNX release and in this case ONNX Runtime will not guarantee backward compatibility. Current official support for domain ai.onnx is till opset 26.\n',
      'The model uses opset 27 of ai.onnx; ONNX Runtime supports opsets up to 26.',
    ],
    [
      'This is an invalid model. In Node, ("n0", Gelu, "", -1) : ("x": tensor(float),) -> ("y": tensor(float),) , Error No Op registered for Gelu with domain_version of 17',
      "Operator 'Gelu' (node 'n0') does not exist in opset 17 of its domain.",
    ],
    [
      "Can't create a session. ERROR_CODE: 6, ERROR_MESSAGE: No Op registered for Gelu with domain_version of 17",
      "Operator 'Gelu' does not exist in opset 17 of its domain.",
    ],
    [
      'This is an invalid model. In Node, ("Upsample_0", Upsample, "", -1) : ("x": tensor(float),"s": tensor(float),) -> ("y": tensor(float),) , Error Op registered for Upsample is deprecated in domain_version of 13',
      "Operator 'Upsample' (node 'Upsample_0') was withdrawn before opset 13 of its domain.",
    ],
    [
      'This is an invalid model. In Node, ("n0", Relu, "my.dom", -1) : ("x": tensor(float),) -> ("y": tensor(float),) , Error No opset import for domain \'my.dom\'',
      "Operator 'Relu' (node 'n0') belongs to the domain 'my.dom', which the model does not import.",
    ],
    [
      'Fatal error: com.acme:Foo(-1) is not a registered function/op',
      "ONNX Runtime has no operator 'Foo' of domain 'com.acme'.",
    ],
    [
      "Could not find an implementation for Relu(14) node with name 'Relu_0'",
      "ONNX Runtime has no implementation of operator 'Relu' (node 'Relu_0') as of opset 14 for its element types.",
    ],
    [
      "Could not find an implementation for BitShift(11) node with name ''",
      "ONNX Runtime has no implementation of operator 'BitShift' as of opset 11 for its element types.",
    ],
    [
      "Could not find an implementation for Gemm(6) node with name ''",
      "ONNX Runtime has no implementation of operator 'Gemm' as of opset 6 for its element types. A model of an opset before 7 must be converted, or exported again.",
    ],
    [
      'This is an invalid model. In Node, ("MatMul_0", MatMul, "", -1) : ("x": tensor(float),) -> ("y": tensor(float),) , Error Node(MatMul_0) with schema(::MatMul:13) has input size 1 not in range [min=2, max=2].',
      "Node 'MatMul_0' (MatMul): Node(MatMul_0) with schema(::MatMul:13) has input size 1 not in range [min=2, max=2].",
    ],
    [
      "This is an invalid model. Type Error: Type 'tensor(string)' of input parameter (x) of operator (Relu) in node (Relu_0) is invalid.",
      "Type Error: Type 'tensor(string)' of input parameter (x) of operator (Relu) in node (Relu_0) is invalid.",
    ],
    [
      "Non-zero status code returned while running Reshape node. Name:'r' Status Message: /onnxruntime_src/onnxruntime/core/providers/cpu/tensor/reshape_helper.h:84 onnxruntime::ReshapeHelper::ReshapeHelper(const onnxruntime::TensorShape&, onnxruntime::TensorShapeVector&, bool) size != 0 && (input_shape_size % size) == 0 was false. The input tensor cannot be reshaped to the requested shape. Input shape:{2,3}, requested shape:{4,-1}\n",
      "Node 'r' (Reshape): The input tensor cannot be reshaped to the requested shape. Input shape:{2,3}, requested shape:{4,-1}",
    ],
    [
      "Non-zero status code returned while running Cast node. Name:'' Status Message: stoll",
      'Operator Cast: a text is not an integer of 64 bits.',
    ],
    [
      'failed to call OrtRun(). ERROR_CODE: 2, ERROR_MESSAGE: Got invalid dimensions for input: x for the following indices\n index: 0 Got: 2 Expected: 1\n index: 1 Got: 3 Expected: 784\n Please fix either the inputs/outputs or the model.',
      "Input 'x' has a shape that the model does not take: dimension 0 is 2 instead of 1, dimension 1 is 3 instead of 784.",
    ],
    [
      'Invalid rank for input: x Got: 2 Expected: 4 Please fix either the inputs/outputs or the model.',
      "Input 'x' has 2 dimensions instead of 4.",
    ],
    [
      'Unexpected input data type. Actual: (tensor(double)) , expected: (tensor(float))',
      'An input has the element type double instead of float.',
    ],
    ["input 'state' is missing in 'feeds'.", "Input 'state' is missing."],
    [
      'Unsupported data type: 17',
      "An input or output is float8e4m3fn, which ONNX Runtime's JavaScript API cannot carry.",
    ],
    [
      "Exception during initialization: /onnxruntime_src/onnxruntime/core/optimizer/initializer.cc:51 onnxruntime::Initializer::Initializer(const onnx::TensorProto&, const std::filesystem::__cxx11::path&) [ONNXRuntimeError] : 1 : FAIL : tensorprotoutils.cc:1469 ValidateEmbeddedTensorProtoDataSizeAndShape Initializer 'w': raw_data size (7 bytes) does not match expected size from shape and data type (16 bytes)\n",
      "Initializer 'w': raw_data size (7 bytes) does not match expected size from shape and data type (16 bytes)",
    ],
    [
      'External data path validation failed for initializer: w. Error: tensorprotoutils.cc:461 ValidateExternalDataPathFromDir External data path does not exist: "/m/w.bin"',
      'External data path validation failed for initializer: w. Error: External data path does not exist: "/m/w.bin"',
    ],
    ['A message that no rule matches.', 'A message that no rule matches.'],
  ])('%j', (raw, explained) => {
    expect(explain(raw)).toBe(explained);
  });
});
