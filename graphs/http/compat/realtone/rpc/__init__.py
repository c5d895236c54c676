"""RealTone's gRPC service ``audioanalyzer.AudioAnalysis`` on Serve's own gRPC proxy.

``make proto`` generates ``audio_analyzer_pb2`` and ``audio_analyzer_pb2_grpc`` from ``proto/audio_analyzer.proto``.
"""
