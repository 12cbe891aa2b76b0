"""A client of the gRPC face in another language: grpcio, with the messages of the official interface.

The messages are declared here from the public definition of inference.GRPCInferenceService, not from
Skein's own .proto file, so that a wrong name or field number in either shows. Calls every method,
and prints what came back as one JSON object. With a MODEL it calls ModelStreamInfer instead, and
prints a line of JSON for each message and for the status, as they arrive. With --control MODEL it takes
the steps of NVIDIA's examples of health, metadata, configuration and model control.

Usage: grpc_client.py HOST:PORT [MODEL | --control MODEL]
"""

import json
import struct
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

F = descriptor_pb2.FieldDescriptorProto
SCALARS = {
    "bool": F.TYPE_BOOL,
    "int32": F.TYPE_INT32,
    "int64": F.TYPE_INT64,
    "uint32": F.TYPE_UINT32,
    "uint64": F.TYPE_UINT64,
    "float": F.TYPE_FLOAT,
    "double": F.TYPE_DOUBLE,
    "string": F.TYPE_STRING,
    "bytes": F.TYPE_BYTES,
}

# message: field number name type; "*" repeats, "?" is one of the parameter choices.
LAYOUT = """
ServerLiveRequest:
ServerLiveResponse: 1 live bool
ServerReadyRequest:
ServerReadyResponse: 1 ready bool
ModelReadyRequest: 1 name string, 2 version string
ModelReadyResponse: 1 ready bool
ModelConfigRequest: 1 name string, 2 version string
ModelInput: 1 name string, 2 data_type int32, 3 format int32, 4 dims int64*
ModelOutput: 1 name string, 2 data_type int32, 3 dims int64*
ModelVersionPolicy.Specific: 1 versions int64*
ModelVersionPolicy: 3 specific ModelVersionPolicy.Specific
ModelQueuePolicy: 2 default_timeout_microseconds uint64, 3 allow_timeout_override bool, 4 max_queue_size uint32
ModelDynamicBatching: 6 default_queue_policy ModelQueuePolicy
ModelInstanceGroup: 1 name string, 2 count int32, 4 kind int32
ModelConfig: 1 name string, 2 platform string, 3 version_policy ModelVersionPolicy, 4 max_batch_size int32, 5 input ModelInput*, 6 output ModelOutput*, 7 instance_group ModelInstanceGroup*, 11 dynamic_batching ModelDynamicBatching, 17 backend string
ModelConfigResponse: 1 config ModelConfig
ServerMetadataRequest:
ServerMetadataResponse: 1 name string, 2 version string, 3 extensions string*
ModelMetadataRequest: 1 name string, 2 version string
ModelMetadataResponse.TensorMetadata: 1 name string, 2 datatype string, 3 shape int64*
ModelMetadataResponse: 1 name string, 2 versions string*, 3 platform string, 4 inputs ModelMetadataResponse.TensorMetadata*, 5 outputs ModelMetadataResponse.TensorMetadata*
InferParameter: 1 bool_param bool?, 2 int64_param int64?, 3 string_param string?
InferTensorContents: 1 bool_contents bool*, 2 int_contents int32*, 3 int64_contents int64*, 4 uint_contents uint32*, 5 uint64_contents uint64*, 6 fp32_contents float*, 7 fp64_contents double*, 8 bytes_contents bytes*
ModelInferRequest.InferInputTensor: 1 name string, 2 datatype string, 3 shape int64*, 4 parameters map:InferParameter, 5 contents InferTensorContents
ModelInferRequest.InferRequestedOutputTensor: 1 name string, 2 parameters map:InferParameter
ModelInferRequest: 1 model_name string, 2 model_version string, 3 id string, 4 parameters map:InferParameter, 5 inputs ModelInferRequest.InferInputTensor*, 6 outputs ModelInferRequest.InferRequestedOutputTensor*, 7 raw_input_contents bytes*
ModelInferResponse.InferOutputTensor: 1 name string, 2 datatype string, 3 shape int64*, 4 parameters map:InferParameter, 5 contents InferTensorContents
ModelInferResponse: 1 model_name string, 2 model_version string, 3 id string, 4 parameters map:InferParameter, 5 outputs ModelInferResponse.InferOutputTensor*, 6 raw_output_contents bytes*
ModelStreamInferResponse: 1 error_message string, 2 infer_response ModelInferResponse
ModelStatisticsRequest: 1 name string, 2 version string
StatisticDuration: 1 count uint64, 2 ns uint64
InferStatistics: 1 success StatisticDuration, 2 fail StatisticDuration, 3 queue StatisticDuration, 4 compute_input StatisticDuration, 5 compute_infer StatisticDuration, 6 compute_output StatisticDuration, 7 cache_hit StatisticDuration, 8 cache_miss StatisticDuration
InferBatchStatistics: 1 batch_size uint64, 2 compute_input StatisticDuration, 3 compute_infer StatisticDuration, 4 compute_output StatisticDuration
ModelStatistics: 1 name string, 2 version string, 3 last_inference uint64, 4 inference_count uint64, 5 execution_count uint64, 6 inference_stats InferStatistics, 7 batch_stats InferBatchStatistics*
ModelStatisticsResponse: 1 model_stats ModelStatistics*
ModelRepositoryParameter: 1 bool_param bool?, 2 int64_param int64?, 3 string_param string?, 4 bytes_param bytes?
RepositoryIndexRequest: 1 repository_name string, 2 ready bool
RepositoryIndexResponse.ModelIndex: 1 name string, 2 version string, 3 state string, 4 reason string
RepositoryIndexResponse: 1 models RepositoryIndexResponse.ModelIndex*
RepositoryModelLoadRequest: 1 repository_name string, 2 model_name string, 3 parameters map:ModelRepositoryParameter
RepositoryModelLoadResponse:
RepositoryModelUnloadRequest: 1 repository_name string, 2 model_name string, 3 parameters map:ModelRepositoryParameter
RepositoryModelUnloadResponse:
"""


def add_field(message, path, number, name, kind):
    """Adds one field of the layout to a DescriptorProto."""
    field = message.field.add(name=name, number=int(number), label=F.LABEL_OPTIONAL)
    if kind.endswith("*"):
        kind = kind[:-1]
        field.label = F.LABEL_REPEATED
    if kind.endswith("?"):
        kind = kind[:-1]
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
        field.oneof_index = 0
    if kind.startswith("map:"):
        entry = message.nested_type.add(name="ParametersEntry")
        entry.options.map_entry = True
        add_field(entry, f"{path}.ParametersEntry", 1, "key", "string")
        add_field(entry, f"{path}.ParametersEntry", 2, "value", kind[4:])
        field.label = F.LABEL_REPEATED
        kind = f"{path}.ParametersEntry"
    if kind in SCALARS:
        field.type = SCALARS[kind]
    else:
        field.type = F.TYPE_MESSAGE
        field.type_name = f".inference.{kind}"


def build_messages():
    """Message classes by name."""
    file = descriptor_pb2.FileDescriptorProto(name="official.proto", package="inference", syntax="proto3")
    made = {}
    rows = [row.split(":", 1) for row in LAYOUT.strip().splitlines()]
    # Outer messages first, so that nested ones have a place.
    for path, _ in sorted(rows, key=lambda row: row[0].count(".")):
        outer, _, name = path.rpartition(".")
        made[path] = made[outer].nested_type.add(name=name) if outer else file.message_type.add(name=path)
    for path, fields in rows:
        for field in filter(None, (part.strip() for part in fields.split(","))):
            add_field(made[path], path, *field.split())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return {path: factory.GetPrototype(pool.FindMessageTypeByName(f"inference.{path}")) for path in made}


M = build_messages()


def code_in(error):
    """The code at the end of a message."""
    return error.rpartition("(")[2].rstrip(")")


def unary_of(channel):
    """Calls a method of the service by its name."""

    def unary(rpc, **fields):
        return channel.unary_unary(
            f"/inference.GRPCInferenceService/{rpc}",
            request_serializer=M[f"{rpc}Request"].SerializeToString,
            response_deserializer=M[f"{rpc}Response"].FromString,
        )(M[f"{rpc}Request"](**fields), timeout=30)

    return unary


def main(target):
    channel = grpc.insecure_channel(target)

    def method(kind, name, request=None, response=None):
        return getattr(channel, kind)(
            f"/inference.GRPCInferenceService/{name}",
            request_serializer=M[request or f"{name}Request"].SerializeToString,
            response_deserializer=M[response or f"{name}Response"].FromString,
        )

    unary = unary_of(channel)

    def infer_request(name="echo", **fields):
        request = M["ModelInferRequest"](model_name=name, **fields)
        request.inputs.add(name="x", datatype="FP32", shape=[1, 3])
        request.raw_input_contents.append(struct.pack("<3f", 1.5, -2, 0.25))
        return request

    results = {
        "live": unary("ServerLive").live,
        "ready": unary("ServerReady").ready,
        "model_ready": unary("ModelReady", name="echo").ready,
        "server": unary("ServerMetadata").name,
    }

    metadata = unary("ModelMetadata", name="echo")
    results["metadata"] = [metadata.name, list(metadata.versions), metadata.platform] + [
        [tensor.name, tensor.datatype, list(tensor.shape)] for tensor in metadata.inputs
    ]

    infer = method("unary_unary", "ModelInfer")
    raw = infer(infer_request(id="r-1"), timeout=10)
    results["raw"] = [
        raw.model_name,
        raw.model_version,
        raw.id,
        raw.outputs[0].datatype,
        list(raw.outputs[0].shape),
        list(struct.unpack("<3f", raw.raw_output_contents[0])),
    ]

    typed = M["ModelInferRequest"](model_name="echo")
    lists = {
        "BOOL": ("bool_contents", [True, False]),
        "INT8": ("int_contents", [-128, 127]),
        "INT16": ("int_contents", [-32768, 32767]),
        "INT32": ("int_contents", [-(2**31), 2**31 - 1]),
        "INT64": ("int64_contents", [-(2**63), 2**63 - 1]),
        "UINT8": ("uint_contents", [0, 255]),
        "UINT16": ("uint_contents", [0, 65535]),
        "UINT32": ("uint_contents", [0, 2**32 - 1]),
        "UINT64": ("uint64_contents", [0, 2**64 - 1]),
        "FP32": ("fp32_contents", [1.5, -0.0]),
        "FP64": ("fp64_contents", [0.1, 1e300]),
        "BYTES": ("bytes_contents", [b"\xff\x00", b""]),
    }
    for datatype, (field, values) in lists.items():
        tensor = typed.inputs.add(name=datatype, datatype=datatype, shape=[2])
        getattr(tensor.contents, field).extend(values)
    typed.parameters["timeout"].int64_param = 5_000_000
    typed.parameters["priority"].int64_param = 1
    typed.outputs.add(name="INT64")
    for name in lists:
        if name != "INT64":
            typed.outputs.add(name=name)
    answer = infer(typed, timeout=10)
    results["typed"] = {
        output.name: raw.hex() for output, raw in zip(answer.outputs, answer.raw_output_contents)
    }
    results["order"] = answer.outputs[0].name

    try:
        infer(infer_request("none"), timeout=10)
    except grpc.RpcError as error:
        results["error"] = [error.code().name, error.details(), dict(error.trailing_metadata())["skein-code"]]

    try:
        infer(infer_request("slow"), timeout=0.2)
    except grpc.RpcError as error:
        results["timeout"] = error.code().name

    stream = method("stream_stream", "ModelStreamInfer", "ModelInferRequest", "ModelStreamInferResponse")
    requests = [infer_request(id="a"), infer_request("none"), infer_request(id="c")]
    results["stream"] = [
        code_in(message.error_message) or message.infer_response.id
        for message in stream(iter(requests), timeout=10)
    ]

    statistics = unary("ModelStatistics", name="echo").model_stats[0]
    results["statistics"] = [statistics.name, statistics.inference_count, statistics.inference_stats.success.ns]
    results["index"] = [[model.name, model.state] for model in unary("RepositoryIndex", ready=True).models]
    unary("RepositoryModelLoad", model_name="echo")
    unary("RepositoryModelUnload", model_name="echo")

    json.dump(results, sys.stdout)


def follow(target, model):
    """One streamed request: prints each chunk as [numbers, is_final] or its error, then the status."""
    request = M["ModelInferRequest"](model_name=model, id="f-1")
    request.parameters["triton_enable_empty_final_response"].bool_param = True
    request.inputs.add(name="x", datatype="FP32", shape=[1, 1])
    request.raw_input_contents.append(struct.pack("<f", 1))
    call = grpc.insecure_channel(target).stream_stream(
        "/inference.GRPCInferenceService/ModelStreamInfer",
        request_serializer=M["ModelInferRequest"].SerializeToString,
        response_deserializer=M["ModelStreamInferResponse"].FromString,
    )

    def show(line):
        print(json.dumps(line), flush=True)

    try:
        for message in call(iter([request]), timeout=60):
            if message.error_message:
                show(code_in(message.error_message))
                continue
            response = message.infer_response
            numbers = [struct.unpack("<f", raw)[0] for raw in response.raw_output_contents]
            show([numbers, response.parameters["triton_final_response"].bool_param])
        show("OK")
    except grpc.RpcError as error:
        show(error.code().name)


def control(target, model):
    """The steps of NVIDIA's examples of health, metadata and model control; prints what they look at."""
    unary = unary_of(grpc.insecure_channel(target))

    def refusal(rpc, **fields):
        try:
            unary(rpc, **fields)
        except grpc.RpcError as error:
            return [error.code().name, error.details()]

    def load(config):
        request = M["RepositoryModelLoadRequest"](model_name=model)
        request.parameters["config"].string_param = config
        return refusal("RepositoryModelLoad", model_name=model, parameters=request.parameters)

    def ready(**fields):
        return unary("ModelReady", **fields).ready

    config = unary("ModelConfig", name=model).config
    (tensor,) = config.input
    metadata = unary("ModelMetadata", name=model)
    results = {
        "server": unary("ServerMetadata").name,
        "ready": [ready(name=model), ready(name=model, version="9"), ready(name="wrong_model_name")],
        "unknown": refusal("ModelMetadata", name="wrong_model_name"),
        "unknown_version": refusal("ModelConfig", name=model, version="9"),
        "config": [config.name, config.platform, config.backend, config.max_batch_size],
        "input": [tensor.name, tensor.data_type, tensor.format, list(tensor.dims)],
        "metadata": list(metadata.inputs[0].shape),
        "versions": list(config.version_policy.specific.versions),
        "instances": [config.instance_group[0].count, config.instance_group[0].kind],
        "timeout": config.dynamic_batching.default_queue_policy.default_timeout_microseconds,
        "wrong_config": load('"parameters": {"config": {{"max_batch_size": "16"}}}'),
        "override": load('{"max_batch_size":"16"}'),
    }
    results["overridden"] = unary("ModelConfig", name=model).config.max_batch_size
    unary("RepositoryModelUnload", model_name=model)
    results["unloaded"] = [ready(name=model), refusal("ModelMetadata", name=model)]
    unary("RepositoryModelLoad", model_name=model)
    results["loaded"] = [ready(name=model), unary("ModelConfig", name=model).config.max_batch_size]
    results["wrong_load"] = refusal("RepositoryModelLoad", model_name="wrong_model_name")
    json.dump(results, sys.stdout)


if len(sys.argv) > 3:
    control(sys.argv[1], sys.argv[3])
elif len(sys.argv) > 2:
    follow(sys.argv[1], sys.argv[2])
else:
    main(sys.argv[1])
