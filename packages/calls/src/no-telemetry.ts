/**
 * Import it before `onnxruntime-node`, which from 1.30 on reports to its maker from Linux and macOS unless this
 * variable is set when it loads: each process, session and model, under an id that it keeps in the user's cache.
 * What a node runs stays with its operator. An operator's own value counts.
 *
 * ONNX Runtime reads the environment of the process, which threads share and the main thread alone can change:
 * so every start of a thread or process imports this, too.
 */
process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
