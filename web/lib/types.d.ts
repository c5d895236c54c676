/** Types of the API's bodies and of what modules of the page hand to each other; read by the type checker only. */

import type {ICONS} from "./dom.js";

export type IconName = keyof typeof ICONS;

// Elements

export type Child = Node | string | number | null | undefined | false | readonly Child[];

export type Listeners =
  {[Type in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[Type]) => void} &
  {"play-refused"?: (event: Event) => void};

/** Attributes by name; `on`, `data`, `value`, `checked` and `disabled` are what h() says. */
export interface Props {
  on?: Listeners;
  data?: Record<string, string>;
  [attribute: string]: string | number | boolean | null | undefined | Listeners | Record<string, string>;
}

export type Tagged<Tag extends string> =
  Tag extends `svg:${infer Name}` ? (Name extends keyof SVGElementTagNameMap ? SVGElementTagNameMap[Name] : SVGElement)
  : Tag extends keyof HTMLElementTagNameMap ? HTMLElementTagNameMap[Tag] : HTMLElement;

// Texts

export type Locale = "en" | "ru";
/** A text, or its forms by plural category. */
export type Text = string | {one?: string, few?: string, many?: string, other: string};
export type TextValues = Record<string, string | number | null | undefined>;

// Sections

/** What app.js gives to a section's mount(). */
export interface Place {
  owner: Me;
  /** Parts of the address after the section's name. */
  params: string[];
  query: URLSearchParams;
  heading: HTMLElement;
  /** Aborted when the section is left. */
  signal: AbortSignal;
  showInAddress: (...params: string[]) => void;
}

// Jobs

export type JobKind = "spoof" | "transcription" | "translation" | "avatar";
export type JobState = "queued" | "running" | "succeeded" | "failed" | "cancelled";

interface JobBase {
  id: string;
  /** False for a kind that this version of the service does not know. */
  supported: boolean;
  state: JobState;
  stage: string | null;
  progress: number;
  queue_position: number | null;
  attempt: number;
  params: JobParams;
  filename: string | null;
  artifacts: Record<string, string>;
  /** Names given to speakers, by the speakers' ids. */
  labels: Record<string, string>;
  error: {code: string, message: string, field?: string | null} | null;
  correlation_id: string;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  expires_at: string | null;
}

export type SpoofJob = JobBase & {kind: "spoof", result: SpoofSummary | null};
export type TranscriptionJob = JobBase & {kind: "transcription", result: TranscriptionSummary | null};
export type TranslationJob = JobBase & {kind: "translation", result: TranslationSummary | null};
export type AvatarJob = JobBase & {kind: "avatar", result: AvatarFilm | null};
export type Job = SpoofJob | TranscriptionJob | TranslationJob | AvatarJob;

/** The job's options; which there are depends on its kind. */
export interface JobParams {
  target?: string;
  text?: string;
  language?: string | null;
  voice?: string | null;
  speed?: number;
  label?: boolean;
  avatar?: string;
}

export interface JobPage {
  jobs: Job[];
  next_cursor: string | null;
}

/** What a form of the page submits: with a file, or as JSON. */
export interface Submission {
  path: string;
  fields?: Fields;
  file?: File;
  json?: object;
}

export type Fields = Record<string, string | number | boolean | null | undefined>;

/** An event of a job's stream (docs/api.md). */
export type JobEvent = {id: number} & (
  | {type: "queued" | "started" | "retrying" | JobState, data: object}
  | {type: "progress", data: {stage: string, progress: number}}
  | {type: "diarized", data: {speakers: string[], turns: SpeechTurn[]}}
  | {type: "segment", data: Segment}
  | {type: "chunks", data: {chunks: SpoofChunk[]}}
  | {type: "utterance", data: Utterance}
);

/** Times are in seconds. */
export interface Stretch {
  start: number;
  end: number;
}

// Voice checks

export type VoiceVerdict = "bona_fide" | "inconclusive" | "spoof";
export type Verdict = VoiceVerdict | "no_speech";

export interface SpoofBands {
  bona_fide_below: number;
  spoof_from: number;
}

export interface SpoofChunk extends Stretch {
  p_spoof: number | null;
  speech_seconds: number;
}

/** `verdict` means nothing where `p_spoof` is null. */
export interface SpeakerVerdict {
  speaker: string;
  p_spoof: number | null;
  verdict: VoiceVerdict;
  speech_seconds: number;
}

interface SpoofFindings {
  duration: number;
  speech_seconds: number;
  verdict: Verdict;
  p_spoof: number | null;
  bands: SpoofBands | null;
  engine: string | null;
  timings: Record<string, number>;
}

export interface SpoofReport extends SpoofFindings {
  chunks: SpoofChunk[];
  speakers: SpeakerVerdict[] | null;
}

export interface SpoofSummary extends SpoofFindings {
  chunks: number;
  speakers: string[];
  speaker_verdicts: SpeakerVerdict[] | null;
}

export interface Waveform {
  duration: number;
  seconds_per_point: number;
  /** 0 to 100. */
  peaks: number[];
}

// Transcripts

export interface SpeechTurn extends Stretch {
  speaker: string;
}

export interface Segment extends Stretch {
  text: string;
}

export interface TranscriptWord extends Stretch {
  text: string;
  probability: number | null;
}

export interface TranscriptTurn extends Stretch {
  speaker: string;
  text: string;
  words: TranscriptWord[];
}

export interface Transcript {
  duration: number;
  language: string;
  speakers: string[];
  turns: TranscriptTurn[];
  segments: Segment[];
  diarization: SpeechTurn[];
  spoof: SpeakerVerdicts | null;
  timings: Record<string, number>;
  engines?: Record<string, {engine: string, model: string | null}>;
  notices?: string[];
}

export interface SpeakerVerdicts {
  speakers: SpeakerVerdict[];
  bands: SpoofBands | null;
  engine: string | null;
}

export interface TranscriptionSummary {
  duration: number;
  language: string;
  speakers: string[];
  turns: number;
  timings: Record<string, number>;
  spoof?: SpeakerVerdicts;
}

// Translations

export interface Quality {
  perplexity: number;
  average_probability: number;
  minimum_probability: number;
}

export interface Utterance extends Stretch {
  source_text: string;
  target_text: string;
  quality: Quality | null;
  suspect: boolean;
  audio_start: number | null;
  audio_end: number | null;
  speed: number | null;
  speech_error: string | null;
}

interface TranslationFindings {
  duration: number;
  /** Null where nobody speaks. */
  source: string | null;
  target: string;
  voice: string | null;
  audio: {duration: number, max_drift: number} | null;
  timings: Record<string, number>;
}

export interface SpeechTranslation extends TranslationFindings {
  utterances: Utterance[];
}

export interface TranslationSummary extends TranslationFindings {
  utterances: number;
  suspect: number;
  speakers: string[];
}

export interface TranslatedSentence {
  source: string;
  text: string;
  quality: Quality | null;
  suspect: string | null;
}

export interface TextTranslation {
  text: string;
  source: string;
  target: string;
  quality: Quality | null;
  suspect: boolean;
  sentences: TranslatedSentence[];
}

export interface Languages {
  recognition: {languages: string[]};
  /** `pairs`: targets by source; null where each language goes into every other. */
  translation: {languages: string[], pairs: Record<string, string[]> | null};
  speech: {languages: string[], cloning: string[]};
}

// Voices and avatars

export interface Voice {
  id: string;
  name: string;
  languages: string[];
  gender: "female" | "male" | null;
  engine: string;
  quality: "natural" | "good" | "robotic";
  clones: boolean;
  sample: string | null;
}

export interface RegisteredVoice {
  id: string;
  name: string;
  language: string | null;
}

export interface Avatar {
  id: string;
  name: string;
  kind: "still" | "clip";
  width: number;
  height: number;
  seconds: number | null;
  faces: number;
}

export interface AvatarFilm {
  avatar: string;
  seconds: number;
  voice: string | null;
  language: string | null;
  speakers: string[];
}

// The service

export interface Limits {
  recordings: {max_bytes: number, min_seconds: number, max_seconds: number};
  texts: {max_speech_chars: number, max_translation_chars: number, max_reference_seconds: number};
  assistant: {max_message_chars: number, max_audio_bytes: number, max_audio_seconds: number};
  avatars: {max_bytes: number, max_pixels: number, max_clip_seconds: number, max_per_owner: number};
  video: {max_seconds: number};
  live: {idle_seconds: number, max_seconds: number, max_utterance_seconds: number};
}

export interface Me {
  name: string;
  limits: Limits;
}

export interface ReplicaCounts {
  running: number;
  starting: number;
  stopping: number;
  target: number | null;
}

export interface Deployment {
  name: string;
  status: string;
  message: string | null;
  replicas: ReplicaCounts;
  ongoing_requests: number | null;
  queued_requests: number | null;
  requests_per_second: number | null;
}

export interface Application {
  name: string;
  status: string;
  deployments: Deployment[];
}

export interface QueueState {
  kind: string;
  queued: number;
  running: number;
  succeeded: number;
  failed: number;
  cancelled: number;
  queued_audio_seconds: number;
  running_audio_seconds: number;
  oldest_queued_seconds: number | null;
}

export interface System {
  version: string;
  versions: Record<string, string>;
  applications: Application[];
  queue: QueueState[];
  dashboard_url: string | null;
}

export type RoleName = "asr" | "diarization" | "spoof" | "speaker" | "translation" | "speech" | "lipsync" | "chat";

/** A measured number: a share from 0 to 1. */
export interface Measurement {
  measure: string;
  value: number;
  highest: number | null;
  language: string | null;
  condition: string;
  /** A proper name; empty where the data have none. */
  data: string;
  /** In English. */
  sample: string;
}

export interface Engine {
  engine: string;
  title: string;
  model: string | null;
  device: string;
  licence: string | null;
  quality: Measurement[];
  notice: string | null;
  stands_in: boolean;
  better: {title: string, needs: string | null, setting: string, command: string | null} | null;
}

export interface RoleEngine extends Engine {
  role: RoleName;
  languages: number | null;
  parts: Engine[];
}

export interface Engines {
  engines: RoleEngine[];
  unavailable: RoleName[];
}

export interface AssistantMessage {
  role: "user" | "assistant";
  content: string;
  interrupted: boolean;
}

interface MediaAddress {
  url: string;
  content_type: string;
  size: number;
  filename: string;
}

/** The body with which the API answers a GET, POST or PUT of a path. */
export type Answer<Path extends string> =
  Path extends "v1/me" ? Me
  : Path extends "v1/system" ? System
  : Path extends "v1/engines" ? Engines
  : Path extends "v1/languages" ? Languages
  : Path extends `v1/voices?${string}` ? {voices: Voice[], registered: RegisteredVoice[]}
  : Path extends "v1/avatars" ? {avatars: Avatar[]}
  : Path extends "v1/translate" ? TextTranslation
  : Path extends `v1/jobs/${string}/artifacts/spoof.json` ? SpoofReport
  : Path extends `v1/jobs/${string}/artifacts/transcript.json` ? Transcript
  : Path extends `v1/jobs/${string}/artifacts/translation.json` ? SpeechTranslation
  : Path extends `v1/jobs/${string}/artifacts/waveform.json` ? Waveform
  : Path extends `v1/jobs/${string}/media/${string}` ? MediaAddress
  : Path extends `v1/jobs/${string}/labels` ? {labels: Record<string, string>}
  : Path extends `v1/jobs/${string}` ? Job
  : Path extends `v1/jobs?${string}` ? JobPage
  : Path extends "v1/assistant/sessions" ? {id: string}
  : Path extends `v1/assistant/sessions/${string}` ? {messages: AssistantMessage[]}
  : unknown;

// The live protocol (docs/live.md)

export interface LiveStart {
  language?: string;
  source?: string;
  target?: string;
  speak?: boolean;
  voice?: string;
  end_of_speech_ms?: number;
}

/** What openLive() adds to the events of an utterance or of a typed message. */
interface OfTurn {
  turn: number;
  /** Unlike `turn` unique across connections. */
  turnId: string;
}

export interface TurnTimings {
  transcript_ms?: number;
  first_text_ms?: number;
  first_audio_ms?: number;
  end_ms?: number;
}

/** Moments are those of performance.now(). */
export type TurnEvent = OfTurn & (
  | {type: "speech_started", at_ms: number, startedAt: number}
  | {type: "speech_ended", end_ms: number, endedAt: number}
  | {type: "transcript.partial", text: string, stable: string}
  | {type: "transcript.final", text: string, language: string}
  | {type: "translation", text: string, language: string, suspect: boolean}
  | {type: "reply.text", text: string}
  | {type: "reply.audio", text?: string}
  | {type: "reply.end", timings: TurnTimings}
  | {type: "interrupted"}
  | {type: "error", code: string, message: string}
);

export type LiveEvent =
  | TurnEvent
  | {type: "ready", turnId?: undefined, session_id?: string, correlation_id?: string}
  | {type: "session_lost" | "audio_lost" | "pong", turnId?: undefined}
  | {type: "error", turn?: undefined, turnId?: undefined, code: string, message: string};

export type LiveState = "connecting" | "ready" | "reconnecting" | "closed";
