"""Published networks built as ONNX graphs from the arrays of their checkpoints, without PyTorch."""
