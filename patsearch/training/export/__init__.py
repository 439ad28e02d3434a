"""A trained network as an ONNX file, in 8 bits where that is wanted, and how two encoders compare."""
