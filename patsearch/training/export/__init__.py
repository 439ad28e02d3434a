"""A trained network as an ONNX file, in float32 or in 8 bits, and a comparison of two encoders."""
