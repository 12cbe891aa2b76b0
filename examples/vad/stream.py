"""The same stream over gRPC, from Python: one call of ModelStreamInfer for a whole recording.

Each window of 32 ms goes up with the state that came down with the answer before. Prints when
speech begins and ends; with --probabilities, one JSON list of a number per window.

Needs grpcio (on Debian: python3-grpcio). The few messages that are used are declared below; classes
generated from inference.proto do as well.

Usage: stream.py FILE.wav [--server HOST:PORT] [--probabilities]
"""

import argparse
import array
import json
import queue
import sys
import wave

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SAMPLE_RATE = 16_000
WINDOW = 512  # samples: 32 ms
CONTEXT = 64  # samples of the window before that the network sees again
STATE = [2, 1, 128]
# Speech begins at the first threshold and ends when it has stayed below the second for 100 ms.
START, STOP, PAUSE_WINDOWS = 0.5, 0.35, 4

# Message: field number, name, type; "*" repeats.
MESSAGES = {
    "InferParameter": ["2 int64_param int64"],
    "Parameter": ["1 key string", "2 value InferParameter"],
    "Tensor": ["1 name string", "2 datatype string", "3 shape int64*"],
    "Request": ["1 model_name string", "4 parameters Parameter*", "5 inputs Tensor*", "7 raw_input_contents bytes*"],
    "Response": ["5 outputs Tensor*", "6 raw_output_contents bytes*"],
    "StreamResponse": ["1 error_message string", "2 infer_response Response"],
}


def declared(messages):
    """Message classes by name."""
    field_type = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="vad.proto", package="vad", syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for number, field_name, kind in (field.split() for field in fields):
            repeated = kind.endswith("*")
            kind = kind.rstrip("*")
            field = message.field.add(name=field_name, number=int(number))
            field.label = field_type.LABEL_REPEATED if repeated else field_type.LABEL_OPTIONAL
            if kind in messages:
                field.type, field.type_name = field_type.TYPE_MESSAGE, f".vad.{kind}"
            else:
                field.type = getattr(field_type, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return {name: factory.GetPrototype(pool.FindMessageTypeByName(f"vad.{name}")) for name in messages}


M = declared(MESSAGES)


def read_samples(path):
    """The samples of a WAV file as floats from -1 to 1."""
    with wave.open(path, "rb") as file:
        found = (file.getframerate(), file.getnchannels(), file.getsampwidth())
        if found != (SAMPLE_RATE, 1, 2):
            sys.exit(f"error: {path} must be 16 kHz, mono, 16 bit; it is {found[0]} Hz, {found[1]} channels, {8 * found[2]} bit.")
        samples = array.array("h", file.readframes(file.getnframes()))
    return array.array("f", (sample / 32768 for sample in samples))


def request(window, state):
    message = M["Request"](model_name="vad")
    # A recording can wait for a busy node; a live stream omits this. Microseconds.
    timeout = message.parameters.add(key="timeout")
    timeout.value.int64_param = 10_000_000
    for name, datatype, shape, data in [
        ("input", "FP32", [1, CONTEXT + WINDOW], window),
        ("state", "FP32", STATE, state),
        ("sr", "INT64", [], array.array("q", [SAMPLE_RATE])),
    ]:
        message.inputs.add(name=name, datatype=datatype, shape=shape)
        message.raw_input_contents.append(data.tobytes())
    return message


def probabilities(channel, samples):
    """Yields the probability of speech in each window, as soon as it is known."""
    call = channel.stream_stream(
        "/inference.GRPCInferenceService/ModelStreamInfer",
        request_serializer=M["Request"].SerializeToString,
        response_deserializer=M["StreamResponse"].FromString,
    )
    outgoing = queue.SimpleQueue()
    answers = call(iter(outgoing.get, None))
    state = array.array("f", bytes(4 * STATE[0] * STATE[1] * STATE[2]))
    padded = array.array("f", bytes(4 * CONTEXT)) + samples + array.array("f", bytes(4 * (-len(samples) % WINDOW)))
    for start in range(0, len(padded) - CONTEXT, WINDOW):
        outgoing.put(request(padded[start : start + CONTEXT + WINDOW], state))
        answer = next(answers)
        if answer.error_message:
            sys.exit(f"error: {answer.error_message}")
        outputs = dict(zip((output.name for output in answer.infer_response.outputs), answer.infer_response.raw_output_contents))
        state = array.array("f", outputs["stateN"])
        yield array.array("f", outputs["output"])[0]
    outgoing.put(None)


def print_speech(speech):
    """Prints when speech begins and ends."""
    speaking, quiet = False, 0
    for number, probability in enumerate(speech):
        quiet = quiet + 1 if probability < STOP else 0
        if not speaking and probability >= START:
            speaking = True
            print(f"{number * WINDOW / SAMPLE_RATE:8.3f} s  begins", flush=True)
        elif speaking and quiet == PAUSE_WINDOWS:
            speaking = False
            print(f"{(number + 1 - quiet) * WINDOW / SAMPLE_RATE:8.3f} s  ends", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Prints when speech begins and ends in a WAV file, over gRPC.")
    parser.add_argument("file")
    parser.add_argument("--server", default="127.0.0.1:4701")
    parser.add_argument("--probabilities", action="store_true")
    options = parser.parse_args()
    samples = read_samples(options.file)
    with grpc.insecure_channel(options.server) as channel:
        try:
            speech = probabilities(channel, samples)
            if options.probabilities:
                json.dump(list(speech), sys.stdout)
            else:
                print_speech(speech)
        except grpc.RpcError as error:
            sys.exit(f"error: {error.details()}")


main()
