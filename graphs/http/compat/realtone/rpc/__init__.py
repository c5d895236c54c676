"""gRPC: RealTone's ``audioanalyzer.AudioAnalysis`` on Serve's own gRPC proxy (contracts A-20 to A-27).

``make proto`` generates ``audio_analyzer_pb2`` and ``audio_analyzer_pb2_grpc`` from ``proto/audio_analyzer.proto``.
"""
