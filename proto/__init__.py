"""The ONNX wire format: messages, files and tensors; the importer, the exporter and the front door read and write through it.

`onnx_pb2.py`, `onnx_data_pb2.py` and their `.pyi` are generated from the `.proto` files beside them. To make them again,
in the repository root, with grpcio-tools 1.76 (its protoc 31.1 sets the oldest protobuf that can load them: 6.31.1):

    mkdir -p build/pb && python -m grpc_tools.protoc -Iintaglio=. --python_out=build/pb --pyi_out=build/pb \
        intaglio/proto/onnx.proto intaglio/proto/onnx_data.proto && mv build/pb/intaglio/proto/* proto/
"""
