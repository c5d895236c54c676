/** Sentences on problems, by code, in the person's language. The server's own words (English) tell the limits. */

import {locale, translations} from "./i18n.js";

const WORDS = {
  en: {
    network: "The server cannot be reached. Check the connection, then try again.",
    status: "The server answered with an error ({status}). Try again; if it stays, tell the operator.",
    page_fault: "Something in this page went wrong: {detail}. Reload the page.",
    internal: "The service failed at this. Try again; if it fails again, tell the operator the reference {correlationId}.",
    invalid_key: "This API key is not known. Check it, or ask the operator for a new one.",
    missing_key: "Please enter your API key.",
    again_later: "{detail} Try again in {n} s.",
    not_found: "This is not there (any more), or it belongs to another key. Find yours in the history.",
    unsupported_media: "This is no kind of file that can be used here. {detail}",
    too_large: "The file is too large. {detail}",
    use_the_rest: "Where the form offers to use what can be read of a damaged file, choose that; or take another file.",
    microphone_denied: "The microphone is blocked. Allow it in the browser's settings for this page, then try again.",
    microphone_missing: "No microphone was found. Connect one, then try again.",
    microphone_insecure: "Browsers give the microphone to secure pages only. Open this page by https or at localhost.",
    microphone_busy: "The microphone cannot be opened. Close other programs that use it, then try again.",
    unplayable: "The browser cannot play this. Download it and use another player.",
    idle: "Nobody spoke for a while, so the microphone was turned off. Go on whenever you like.",
    max_duration: "This connection was open for as long as one may be. Go on whenever you like.",
    slow_client: "The connection is too slow for live sound. Go on when it is better.",
    too_many_connections: "You have too many live conversations open. Close other tabs, then try again.",
    too_many_errors: "The service could not use what it was sent. Go on whenever you like.",
    live_lost: "The connection broke and could not be made again. Check it, then go on.",
    live_unreachable: "A live connection cannot be opened from here. Check the network, then try again.",
    live_closed: "The live connection was closed. Try again.",
    overloaded: "That was too much at once. Wait for the answer, then say it again.",
  },
  ru: {
    network: "Сервер недоступен. Проверьте соединение и попробуйте ещё раз.",
    status: "Сервер ответил ошибкой ({status}). Попробуйте ещё раз; если она останется, сообщите администратору.",
    page_fault: "В странице что-то сломалось: {detail}. Перезагрузите её.",
    internal: "В сервисе произошла ошибка. Попробуйте ещё раз; если она повторится, сообщите администратору номер {correlationId}.",
    invalid_key: "Этот ключ API неизвестен. Проверьте его или попросите у администратора новый.",
    missing_key: "Введите ключ API.",
    again_later: "Попробуйте ещё раз через {n} с.",
    not_found: "Этого здесь (уже) нет, или это принадлежит другому ключу. Своё ищите в истории.",
    unsupported_media: "Файлы такого вида здесь не подходят.",
    too_large: "Файл слишком большой.",
    use_the_rest: "",
    microphone_denied: "Микрофон заблокирован. Разрешите его для этой страницы в настройках браузера и попробуйте ещё раз.",
    microphone_missing: "Микрофон не найден. Подключите его и попробуйте ещё раз.",
    microphone_insecure: "Браузеры дают микрофон только защищённым страницам. Откройте страницу по https или на localhost.",
    microphone_busy: "Микрофон не открывается. Закройте другие программы, которые им пользуются, и попробуйте ещё раз.",
    unplayable: "Браузер не может это воспроизвести. Скачайте файл и откройте его в другом проигрывателе.",
    idle: "Долго никто не говорил, и микрофон выключен. Можно продолжить в любой момент.",
    max_duration: "Соединение было открыто столько, сколько разрешено. Можно продолжить в любой момент.",
    slow_client: "Соединение слишком медленное для живого звука. Продолжите, когда оно станет лучше.",
    too_many_connections: "У вас открыто слишком много живых разговоров. Закройте другие вкладки и попробуйте ещё раз.",
    too_many_errors: "Сервис не смог использовать присланное. Можно продолжить в любой момент.",
    live_lost: "Соединение прервалось, и восстановить его не удалось. Проверьте сеть и продолжите.",
    live_unreachable: "Отсюда не удаётся открыть живое соединение. Проверьте сеть и попробуйте ещё раз.",
    live_closed: "Живое соединение закрыто. Попробуйте ещё раз.",
    overloaded: "Слишком много сразу. Дождитесь ответа и повторите.",
  },
};

/**
 * Russian for codes that the server explains well in English; its own words follow for the numbers in them.
 * @type {Record<string, string>}
 */
const RUSSIAN = {
  empty_file: "Файл пустой. Выберите другой.",
  no_audio: "В файле нет звука. Выберите другой.",
  damaged: "Файл повреждён. Выберите другой или сохраните его заново.",
  encrypted: "Файл зашифрован. Снимите защиту и попробуйте ещё раз.",
  too_short: "Слишком коротко. Возьмите что-нибудь длиннее.",
  too_long: "Слишком длинно. Сократите и попробуйте ещё раз.",
  upload_timeout: "Файл шёл слишком долго. Попробуйте ещё раз при лучшем соединении.",
  upload_aborted: "Передача файла прервалась. Попробуйте ещё раз.",
  empty_text: "Текст пустой. Напишите что-нибудь.",
  nothing_to_say: "В этом тексте нечего произнести.",
  unsupported_language: "Этот язык не поддерживается. Выберите другой.",
  unsupported_pair: "Эта пара языков не поддерживается. Выберите другую.",
  same_language: "Запись уже на этом языке. Выберите другой.",
  unknown_voice: "Такого голоса нет. Выберите другой.",
  unsupported_voice: "Этот голос здесь использовать нельзя. Выберите другой.",
  unknown_speaker: "Такого говорящего нет.",
  no_face: "Лицо не найдено. Возьмите снимок, где оно видно прямо и хорошо освещено.",
  face_too_small: "Лицо слишком маленькое. Возьмите снимок крупнее.",
  too_many_pixels: "На снимке слишком много пикселей. Уменьшите его.",
  too_small: "Снимок слишком маленький. Возьмите больше.",
  animated: "Движущиеся картинки не подходят. Возьмите снимок или видео.",
  too_many_frames: "В ролике слишком много кадров. Возьмите ролик короче.",
  avatar_gone: "Это лицо удалено. Выберите другое.",
  no_video: "В файле нет изображения. Выберите другой.",
  name_taken: "Такое имя у вас уже есть. Возьмите другое.",
  too_many_avatars: "У вас слишком много аватаров. Удалите один из них.",
  no_speech: "Речи не слышно. Говорите ближе к микрофону.",
  not_understood: "Слов не разобрать. Повторите, пожалуйста.",
  session_busy: "Ответ ещё готовится. Подождите немного.",
  session_not_found: "Этот разговор закончился. Начните новый.",
  conversation_refused: "Собеседник отказался отвечать на это.",
  chat_unavailable: "Собеседник недоступен. Попробуйте немного позже.",
  speech_failed: "Ответ не удалось произнести; текст — на экране.",
  role_unavailable: "Нужная модель сейчас недоступна. Попробуйте немного позже.",
  out_of_memory: "Модели не хватило памяти. Попробуйте немного позже.",
  service_full: "Сервис занят. Попробуйте немного позже.",
  storage_unavailable: "Хранилище недоступно. Попробуйте немного позже.",
  recording_gone: "Этой записи в сервисе больше нет. Отправьте её ещё раз.",
  not_retryable: "Повторить можно только то, что не удалось или отменено.",
  queue_full: "У вас слишком много заданий в очереди. Дождитесь, пока одно закончится.",
  rate_limited: "Слишком много запросов. Подождите немного.",
  too_many_streams: "Открыто слишком много вкладок с заданиями. Закройте одну.",
  idempotency_conflict: "Это уже отправлено с другими настройками. Отправьте ещё раз.",
  invalid_request: "Запрос составлен неверно.",
  timeout: "Работа заняла слишком много времени и остановлена. Попробуйте запись короче.",
};

const t = translations(WORDS);

/**
 * Say a problem in the person's language.
 * @param {string} code
 * @param {object} [more]
 * @param {number} [more.status] of HTTP; 0 where there was no answer
 * @param {string} [more.detail]
 * @param {number|null} [more.retryAfter] seconds
 * @param {string|null} [more.correlationId]
 */
export function problemSentence(code, {status = 0, detail = "", retryAfter = null, correlationId = ""} = {}) {
  detail = detail.replace(OF_THE_API, t("use_the_rest"));
  const values = {status, detail: detail.trim(), correlationId, n: retryAfter ?? 0};
  const russian = locale() === "ru";
  if (code === "internal" || status === 500) return t("internal", values);
  if (code.endsWith("_not_found") && code !== "session_not_found") return t("not_found");
  const known = /** @type {keyof typeof WORDS.en} */ (code);
  let said = WORDS[locale()][known] ? t(known, values) : "";
  if (!said && russian && RUSSIAN[code]) said = RUSSIAN[code];
  if (russian && said && detail && NUMBER.test(detail)) said += ` (${values.detail})`;
  if (!said) said = detail || t("status", values);
  if (retryAfter && status) said = russian ? `${said} ${t("again_later", values)}` : t("again_later", {...values, detail: said});
  return said.trim();
}

// What the API advises its own callers.
const OF_THE_API = "With allow_truncated=true what is there is used.";

// Limits are told in numbers, which need no translation to be understood.
const NUMBER = /\d/;
