r"""The ONNX wire format: messages, files, tensors; importer, exporter and front door read and write through it.

`onnx_pb2.py`, `onnx_data_pb2.py` and their `.pyi` are generated from the `.proto` files beside them. To make them
again, in the repository root, with grpcio-tools 1.76 (protoc 31.1: the oldest protobuf that can load them
is 6.31.1):

    mkdir -p build/pb && python -m grpc_tools.protoc -Iintaglio=. --python_out=build/pb --pyi_out=build/pb \
        intaglio/proto/onnx.proto intaglio/proto/onnx_data.proto && mv build/pb/intaglio/proto/* proto/ && \
        sed -i 's/^from intaglio.proto import/from . import/' proto/onnx_data_pb2.py*
"""
