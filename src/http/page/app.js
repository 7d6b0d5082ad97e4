// The page: what the API says, shown; what the user does, asked of the API. Text of users and speakers
// only ever goes through textContent.

const $ = (id) => document.getElementById(id);
const KEY = 'panotti-key';
const RETRY_MS = 2000;
const SILENCE_LIMIT_MS = 30_000; // The server sends a heartbeat every 10 s.
const STATES = {
  recording: 'Recording', paused: 'Paused', stopping: 'Stopping', transcribing: 'Being written down', done: '', failed: 'Failed',
};

let key = sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY) ?? '';
let role = null;
let stream = null;      // AbortController of the event stream.
let lastSeq = null;     // The last event seen; the stream goes on after it.
let running = null;     // The recording that runs.
let told = null;        // What was last told of it, as text.
let runningSince = 0;   // Its audio began then, had there been no pauses; ms since 1970.
let shown = null;       // The recording in the detail card.
let nextCursor = null;

// --- Asking -----------------------------------------------------------------------------------------

class Refused extends Error {
  constructor(status, detail) { super(detail); this.status = status; }
}

const headers = (more = {}) => (key ? { 'X-API-Key': key, ...more } : more);

async function ask(path, { method = 'GET', body, as = 'json' } = {}) {
  const response = await fetch(path, {
    method,
    headers: headers(body ? { 'Content-Type': 'application/json' } : {}),
    body: body && JSON.stringify(body),
  });
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new Refused(response.status, typeof problem.detail === 'string' ? problem.detail : response.statusText);
  }
  return response.status === 204 ? null : response[as]();
}

function tell(message) {
  $('notice').textContent = message ?? '';
  $('notice').hidden = !message;
}

/** Runs what a button does: disabled meanwhile, failures told. */
function act(element, work) {
  return async (event) => {
    event.preventDefault();
    element.disabled = true;
    tell(null);
    try {
      await work(event);
    } catch (error) {
      if (error.status === 401) return askForKey(sentence(error.message));
      tell(error.status ? sentence(error.message) : 'The box does not answer. Is it on, and are you on its network?');
    } finally {
      element.disabled = false;
    }
  };
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');

// --- Building ---------------------------------------------------------------------------------------

function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function clock(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (n) => String(n).padStart(2, '0');
  return (s >= 3600 ? `${Math.floor(s / 3600)}:` : '') + `${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

function line(time, speaker, text) {
  const what = make('span');
  if (speaker) what.append(make('span', { className: 'who', textContent: `${speaker}: ` }));
  what.append(make('span', { textContent: text }));
  return make('li', {}, time, what);
}

// --- Key --------------------------------------------------------------------------------------------

async function begin() {
  let session;
  try {
    session = await ask('/session');
  } catch (error) {
    if (error.status === 401) return askForKey(sentence(error.message));
    if (error.status) return role ? connection(sentence(error.message), 'bad') : askForKey(sentence(error.message));
    connection('The box does not answer. Trying again…', 'bad');
    setTimeout(begin, RETRY_MS);
    return;
  }
  if (!session.role) return askForKey(session.hint && key === '' ? sentence(session.hint) : undefined);
  role = session.role;
  $('login').hidden = true;
  $('app').hidden = false;
  $('forget').hidden = !session.key_required;
  ask('/system').then((it) => { $('version').textContent = `· Version ${it.version}`; }, () => {});
  follow();
}

const mayRecord = () => role === 'operator' || role === 'admin';
const inProgress = (recording) => ['recording', 'paused', 'stopping'].includes(recording.state);

function askForKey(hint) {
  stream?.abort();
  role = null;
  told = null; // Another role has other buttons.
  $('app').hidden = true;
  $('forget').hidden = true;
  $('login').hidden = false;
  if (hint) $('login-hint').textContent = hint;
  connection('Not signed in', '');
  $('key').focus();
}

$('login-form').addEventListener('submit', (event) => {
  event.preventDefault();
  key = $('key').value.trim();
  $('key').value = '';
  localStorage.removeItem(KEY);
  sessionStorage.setItem(KEY, key);
  if ($('remember').checked) localStorage.setItem(KEY, key);
  begin();
});

$('forget').addEventListener('click', () => {
  key = '';
  sessionStorage.removeItem(KEY);
  localStorage.removeItem(KEY);
  location.reload();
});

// --- Events -----------------------------------------------------------------------------------------

function connection(text, tone) {
  const pill = $('connection');
  if (pill.textContent !== text) pill.textContent = text;
  pill.dataset.tone = tone;
}

/** Follows what happens for as long as the page lives, going on after the last event seen. */
async function follow() {
  stream?.abort();
  const mine = (stream = new AbortController());
  let wait = 500;
  while (!mine.signal.aborted) {
    let why = 'Connection lost.';
    try {
      await read(mine, () => { wait = 500; });
    } catch (error) {
      if (error.status === 401) return askForKey(sentence(error.message));
      if (error.status) why = sentence(error.message);
    }
    if (mine.signal.aborted) return;
    showLevels([]);
    connection(`${why} Trying again…`, 'bad');
    await new Promise((done) => setTimeout(done, wait));
    wait = Math.min(wait * 2, 5000);
  }
}

async function read(mine, alive) {
  const request = new AbortController();
  const stop = () => request.abort();
  mine.signal.addEventListener('abort', stop);
  let watch = setTimeout(stop, SILENCE_LIMIT_MS);
  try {
    const resume = lastSeq === null ? {} : { 'Last-Event-ID': String(lastSeq) };
    const response = await fetch('/live', { headers: headers({ Accept: 'text/event-stream', ...resume }), signal: request.signal });
    if (!response.ok) {
      const problem = await response.json().catch(() => ({}));
      throw new Refused(response.status, problem.detail ?? response.statusText);
    }
    connection('Connected', 'good');
    alive();
    // What was of the moment is sent anew. With no event seen yet none comes again: captions are read.
    clearPartials();
    if (lastSeq === null) captionsRead = null;
    // The stream is open: what was before is read here, what comes from now on waits in it.
    await refresh();
    pluginsSoon();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(watch);
      watch = setTimeout(stop, SILENCE_LIMIT_MS);
      text += value;
      const blocks = text.split('\n\n');
      text = blocks.pop();
      for (const block of blocks) {
        const field = (name) => block.split('\n').find((it) => it.startsWith(`${name}: `))?.slice(name.length + 2);
        const data = field('data');
        if (data) await happened(field('event'), field('id'), JSON.parse(data));
      }
    }
  } finally {
    clearTimeout(watch);
    mine.signal.removeEventListener('abort', stop);
  }
}

/** A message of `GET /live`. Those with an id are events of the log. */
async function happened(type, id, data) {
  if (id) lastSeq = Number(id);
  const payload = data.payload;
  if (type === 'level') {
    showLevels(data.levels);
  } else if (type === 'caption.partial') {
    partial(data);
  } else if (type === 'caption.gone') {
    if (partials.get(data.lane)?.start_ms <= data.start_ms) gone(data.lane);
  } else if (type === 'state') {
    showState(data);
    await showRunning(data.recording);
  } else if (type === 'caption.published' || type === 'caption.skipped') {
    if (captioned === payload.recording_id) captionEvent(data);
  } else if (type === 'desktop_notification.offered') {
    toast(payload);
  } else if (type === 'plugin.state_changed') {
    pluginsSoon();
  } else {
    refreshSoon();
  }
}

// --- Plugins ----------------------------------------------------------------------------------------

/** Says which plugins have failed, and why. */
async function showPlugins() {
  const { items } = await ask('/plugins');
  const failed = items.filter((it) => it.state === 'failed').map((it) => `The plugin ${it.name} has failed: ${it.reason ?? 'it says no reason'}`);
  $('plugins').textContent = failed.map(sentence).join(' ');
  $('plugins').hidden = failed.length === 0;
}

let pluginsTimer = null;
function pluginsSoon() {
  clearTimeout(pluginsTimer);
  // A plugin that is started anew passes through several states.
  pluginsTimer = setTimeout(() => showPlugins().catch(() => {}), 300);
}

const toasted = new Set();

/** A message of the notifier, until somebody closes it. */
function toast({ key: id, title, message, urgency }) {
  if (toasted.has(id)) return;
  toasted.add(id);
  const close = make('button', { className: 'quiet small', textContent: 'Close' });
  const shown = make('p', { className: 'toast' }, make('strong', { textContent: title }), ` ${message} `, close);
  shown.dataset.tone = urgency;
  close.addEventListener('click', () => shown.remove());
  $('toasts').append(shown);
  while ($('toasts').children.length > 5) $('toasts').firstChild.remove();
}

let refreshTimer = null;
function refreshSoon() {
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(() => refresh().catch(() => {}), 100);
}

async function refresh() {
  const list = await ask('/recordings?limit=20');
  showList(list, false);
  const made = (it) => JSON.stringify([it.state, it.stages]);
  const changed = list.items.find((it) => it.id === shown?.id && made(it) !== made(shown));
  if (changed) await open(changed, false);
}

// --- Now --------------------------------------------------------------------------------------------

const heard = new Set();
let captioned = null;    // The recording whose captions are shown; the last ones come after its end.
let captionsRead = null; // The recording whose earlier captions have been read.
const partials = new Map(); // By microphone: captions that still change, each with its row.
let finals = [];         // Captions that wait for the partial one they replace to go.

const FINAL_WAITS_MS = 300;

/**
 * A final caption, or that some were left out. Which partial one it replaces is told by `caption.gone`, which comes
 * right after it: both happen at once then. When none goes, it was of a microphone that showed nothing.
 */
function captionEvent({ seq, payload: { recording_id, segment, skipped_ms } }) {
  if (segment) {
    const may = (it) => it.recording_id === recording_id && it.start_ms <= segment.start_ms && (!it.speaker || it.speaker === segment.speaker);
    if (![...partials.values()].some(may)) return caption(segment);
    finals.push(segment);
    setTimeout(showFinals, FINAL_WAITS_MS);
    return;
  }
  if (heard.has(seq)) return;
  heard.add(seq);
  const start = $('captions').lastChild?.dataset.start ?? 0;
  const what = `${Math.ceil(skipped_ms / 1000)} s are missing here, since this box was too slow. The transcript will have them.`;
  insert(line(make('span'), null, what), start).className = 'skipped';
}

function showFinals() {
  const shown = finals;
  finals = [];
  shown.forEach(caption);
}

function caption({ start_ms, end_ms, speaker, text }) {
  const id = `${start_ms}-${end_ms}-${speaker ?? ''}`;
  if (heard.has(id)) return;
  heard.add(id);
  insert(line(make('span', { className: 'time', textContent: clock(start_ms) }), speaker, text), start_ms);
}

/** Puts a row where its time is. */
function insert(row, start_ms) {
  const list = $('captions');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  row.dataset.start = start_ms;
  const before = [...list.children].findLast((it) => Number(it.dataset.start) <= start_ms);
  if (before) before.after(row); else list.prepend(row);
  $('captions-empty').hidden = true;
  if (atEnd) list.scrollTop = list.scrollHeight;
  return row;
}

/** A caption of speech that goes on: its row stays, words change in it. */
function partial({ recording_id, lane, speaker, start_ms, stable, tentative }) {
  if (captioned !== recording_id) return;
  let it = partials.get(lane);
  if (it?.start_ms !== start_ms || it.speaker !== speaker) {
    gone(lane);
    const row = line(make('span', { className: 'time', textContent: clock(start_ms) }), speaker, '');
    const words = row.lastChild.lastChild;
    words.className = 'stable';
    words.after(make('span', { className: 'tentative' }));
    it = { recording_id, speaker, start_ms, row, words };
    partials.set(lane, it);
    const after = [...partials].find(([other]) => other > lane)?.[1].row ?? null;
    $('partials').insertBefore(row, after);
    $('captions-empty').hidden = true;
  }
  it.words.textContent = stable;
  it.words.nextSibling.textContent = (stable && tentative ? ' ' : '') + tentative;
}

function gone(lane) {
  partials.get(lane)?.row.remove();
  partials.delete(lane);
  showFinals();
  if (!partials.size && !$('captions').children.length) $('captions-empty').hidden = false;
}

function clearPartials() {
  for (const lane of [...partials.keys()]) gone(lane);
}

function captionsOf(id) {
  captioned = id;
  captionsRead = null;
  heard.clear();
  finals = [];
  clearPartials();
  $('captions').replaceChildren();
  $('captions-empty').hidden = false;
}

async function showRunning(recording) {
  const now = JSON.stringify(recording);
  if (recording && recording.id !== captioned) captionsOf(recording.id);
  if (now !== told) {
    told = now;
    running = recording;
    const live = recording?.state === 'recording';
    $('running-state').textContent = recording ? STATES[recording.state] : 'Ready';
    $('running-state').dataset.tone = live ? 'live' : '';
    $('running-title').textContent = recording?.title ?? '';
    $('running-time').hidden = !recording;
    $('running').hidden = !recording || !mayRecord();
    $('start-form').hidden = Boolean(recording) || !mayRecord();
    $('pause').hidden = !live;
    $('resume').hidden = recording?.state !== 'paused';
    if (recording) runningSince = Date.parse(recording.started_at);
    if (live && recording.duration_ms > 0) {
      const resumed = await ask(`/events?name=recording.resumed&correlation_id=${recording.correlation_id}&limit=1`);
      if (resumed.items[0]) runningSince = Date.parse(resumed.items[0].context.timestamp) - recording.duration_ms;
    }
    showTime();
  }
  if (recording && captionsRead !== recording.id) {
    const said = `/events?name=caption.*&correlation_id=${recording.correlation_id}&order=asc&limit=200`;
    for (let page = await ask(said); page; page = page.next_cursor && (await ask(`${said}&cursor=${page.next_cursor}`))) {
      page.items.forEach(captionEvent);
    }
    captionsRead = recording.id;
  }
}

function showTime() {
  if (!running) return;
  const { state, duration_ms } = running;
  $('running-time').textContent = clock(state === 'recording' ? Date.now() - runningSince : duration_ms);
}
setInterval(showTime, 250);

$('start-form').addEventListener('submit', act($('start'), async () => {
  const attendees = $('attendees').value.split(',').map((it) => it.trim()).filter(Boolean);
  const recording = await ask('/recordings', { method: 'POST', body: { title: $('title').value.trim(), attendees } });
  $('title').value = '';
  $('attendees').value = '';
  await showRunning(recording);
  $('stop').focus();
}));
for (const action of ['pause', 'resume', 'stop']) {
  $(action).addEventListener('click', act($(action), async () => {
    const recording = await ask(`/recordings/${running.id}/${action}`, { method: 'POST' });
    await showRunning(inProgress(recording) ? recording : null);
    if (action === 'stop') await open(recording, true);
  }));
}

function showState({ capture, model, final_pass, captions }) {
  const source = {
    starting: () => 'The microphone is being opened.',
    running: () => `Listening to ${capture.device}.`,
    lost: () => `The microphone is lost: ${capture.reason}`,
    ended: () => 'The audio source has ended.',
  }[capture.state]?.() ?? '';
  const words = {
    none: ' No model is configured, so nothing is written down.',
    loading: ' The model is loading.',
    failed: ` The model cannot be used: ${model.reason}`,
  }[model.state] ?? '';
  if ($('source').textContent !== source + words) $('source').textContent = source + words;
  if (capture.state !== 'running') showLevels([]);
  const slow = {
    without_partials: () => 'This box is too slow for captions while somebody speaks: they come when a sentence is over.',
    behind: () => `This box is too slow for its model: captions come late by about ${Math.ceil(captions.waiting_ms / 5000) * 5} s. Nothing is lost; the transcript will have everything.`,
  }[captions?.state]?.() ?? '';
  if ($('slow').textContent !== slow) $('slow').textContent = slow;
  $('slow').hidden = !slow;
  const writing = final_pass && document.querySelector(`[data-state="${CSS.escape(final_pass.recording_id)}"]`);
  if (writing && final_pass.total_ms) {
    writing.textContent = ` · ${STATES.transcribing}, ${Math.floor(final_pass.done_ms / final_pass.total_ms * 100)} %`;
  }
}

function showLevels(levels) {
  const meters = $('meters');
  while (meters.children.length > levels.length) meters.lastChild.remove();
  levels.forEach((level, it) => {
    if (!meters.children[it]) {
      const name = level.label ?? (levels.length > 1 ? `Channel ${it + 1}` : 'Microphone');
      const meter = make('meter', { min: -60, max: 0, low: -50, high: -6, optimum: -20 });
      meter.setAttribute('aria-label', `Level of ${name}`);
      meters.append(make('div', { className: 'meter' }, make('span', { textContent: name }), meter, make('output')));
    }
    const [, meter, output] = meters.children[it].children;
    meter.value = level.rms_dbfs;
    output.textContent = level.rms_dbfs <= -120 ? 'silent' : `${level.rms_dbfs.toFixed(0)} dB`;
  });
}

// --- Recordings -------------------------------------------------------------------------------------

/** When it began and, once that is known, how long it is. */
function facts(recording) {
  const began = new Date(recording.started_at).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
  return recording.duration_ms && !inProgress(recording) ? `${began} · ${clock(recording.duration_ms)}` : began;
}

function showList({ items, next_cursor }, append) {
  const list = $('recordings');
  if (!append) list.replaceChildren();
  for (const it of items) {
    const title = it.title || it.id;
    const name = make('button', { className: 'what', textContent: title });
    name.addEventListener('click', act(name, () => open(it, true)));
    const notes = [STATES[it.state] ?? it.state, it.interrupted && 'interrupted'].filter(Boolean);
    const state = make('span', { textContent: notes.map((note) => ` · ${note}`).join('') });
    if (it.state === 'transcribing') state.dataset.state = it.id;
    const row = make('li', {}, name, make('span', { className: 'time small' }, facts(it), state));
    if (mayRecord() && !inProgress(it)) {
      const remove = make('button', { className: 'quiet small remove', textContent: 'Delete' });
      remove.setAttribute('aria-label', `Delete ${title}`);
      remove.addEventListener('click', act(remove, async () => {
        const what = it.origin === 'client' ? 'transcript and notes for good? The audio stays where its client put it.' : 'audio, transcript and notes for good?';
        if (!confirm(`Delete “${title}” with its ${what}`)) return;
        await ask(`/recordings/${it.id}`, { method: 'DELETE' });
        if (shown?.id === it.id) close();
        await refresh();
      }));
      row.append(remove);
    }
    list.append(row);
  }
  nextCursor = next_cursor;
  $('more').hidden = !next_cursor;
  $('recordings-empty').hidden = list.children.length > 0;
}

$('more').addEventListener('click', act($('more'), async () => {
  showList(await ask(`/recordings?limit=20&cursor=${nextCursor}`), true);
}));

// --- One recording ----------------------------------------------------------------------------------

const player = $('player');

async function open(recording, focus) {
  const reload = shown?.id !== recording.id || player.error || (inProgress(shown) && !inProgress(recording));
  shown = recording;
  $('detail').hidden = false;
  $('detail-title').textContent = recording.title || recording.id;
  $('detail-facts').textContent = [facts(recording), recording.attendees.join(', '), recording.error].filter(Boolean).join(' · ');
  // The captions of a recording that has ended make room.
  if (focus && !running) captionsOf(null);
  if (reload) await load(0);
  $('downloads').replaceChildren(...['wav', 'txt', 'md', 'srt', 'vtt', 'json'].map((format) => {
    const button = make('button', { className: 'quiet small', textContent: format });
    button.setAttribute('aria-label', `Download ${format === 'wav' ? 'the audio' : 'the transcript'} as ${format}`);
    button.addEventListener('click', act(button, () => download(recording.id, format)));
    return button;
  }));
  showStages(recording);
  await Promise.all([showTranscript(recording), showNotes(recording)]);
  if (focus) {
    $('detail-title').focus({ preventScroll: true });
    $('detail').scrollIntoView({ behavior: 'smooth' });
  }
}

const audioLink = (id) => ask(`/recordings/${id}/audio-link`, { method: 'POST' });

/** Gives the player an address that works for some minutes; it is renewed when it has run out. */
async function load(at) {
  player.src = (await audioLink(shown.id)).url;
  player.currentTime = at;
}

let renewed = 0;
player.addEventListener('error', () => {
  if (!shown || Date.now() - renewed < 5000) return;
  renewed = Date.now();
  const { currentTime, paused } = player;
  load(currentTime).then(() => paused || player.play()).catch(() => {});
});

const STAGES = {
  noise_reduction: 'Cleaned audio', transcription_local: 'Transcript', meeting_notes_local: 'Notes',
  meeting_notes_remote: 'Notes by a service elsewhere', desktop_notification: 'Message', cleanup_files: 'Clean-up', directory_sync: 'Copies',
};

/** What each plugin made of it, in order of time; a plugin without a name here says its own. */
function showStages({ stages }) {
  const rows = Object.entries(stages).sort(([, a], [, b]) => Date.parse(a.at) - Date.parse(b.at));
  $('stages').replaceChildren(...rows.map(([name, it]) => {
    const done = it.outcome === 'completed' ? 'done' : 'failed';
    const row = make('li', { textContent: `${STAGES[name] ?? name}: ${done}${it.problem ? ` (${it.problem})` : ''}` });
    row.dataset.tone = it.outcome === 'completed' ? '' : 'bad';
    return row;
  }));
}

async function showNotes(recording) {
  const there = Object.entries(recording.stages).some(([name, it]) => name.startsWith('meeting_notes') && it.outcome === 'completed');
  const text = there ? await ask(`/recordings/${recording.id}/notes`, { as: 'text' }).catch(() => '') : '';
  if (shown?.id !== recording.id) return;
  $('notes').replaceChildren(...markdown(text));
  $('notes').hidden = $('notes-title').hidden = !text;
}

/** The little Markdown of notes: headings and lists. Everything else is text, of which escapes are undone. */
function markdown(text) {
  const blocks = [];
  const plain = text.replace(/\\([!-/:-@[-`{-~])/g, '$1').replaceAll('&lt;', '<').replaceAll('&amp;', '&');
  for (const line of plain.split('\n').map((it) => it.trimEnd()).filter(Boolean)) {
    const [, marks, heading] = /^(#{1,6}) +(.*)$/.exec(line) ?? [];
    const [, item] = /^ *[-*] +(.*)$/.exec(line) ?? [];
    const [, quote] = /^> ?(.*)$/.exec(line) ?? [];
    if (marks) {
      blocks.push(make(`h${Math.min(marks.length + 3, 6)}`, { textContent: heading }));
    } else if (item !== undefined) {
      if (blocks.at(-1)?.tagName !== 'UL') blocks.push(make('ul'));
      blocks.at(-1).append(make('li', { textContent: item }));
    } else if (quote !== undefined) {
      blocks.push(make('blockquote', { textContent: quote }));
    } else {
      blocks.push(make('p', { textContent: line }));
    }
  }
  return blocks;
}

async function showTranscript(recording) {
  const list = $('transcript');
  let transcript = { segments: [] };
  let hint = recording.state === 'transcribing' ? 'The transcript is being written.' : 'Nothing was said.';
  try {
    transcript = await ask(`/recordings/${recording.id}/transcript?format=json`);
  } catch (error) {
    if (error.status !== 409) hint = sentence(error.message);
  }
  // Meanwhile another may have been opened.
  if (shown?.id !== recording.id) return;
  list.replaceChildren(...transcript.segments.map((it) => {
    const seek = make('button', { className: 'time', textContent: clock(it.start * 1000) });
    seek.setAttribute('aria-label', `Play from ${clock(it.start * 1000)}`);
    seek.addEventListener('click', () => { player.currentTime = it.start; player.play().catch(() => {}); });
    const row = line(seek, it.speaker, it.text);
    row.dataset.start = it.start;
    row.dataset.end = it.end;
    return row;
  }));
  $('transcript-empty').textContent = hint;
  $('transcript-empty').hidden = transcript.segments.length > 0;
}

player.addEventListener('timeupdate', () => {
  for (const row of $('transcript').children) {
    const now = player.currentTime >= row.dataset.start && player.currentTime < row.dataset.end;
    row.classList.toggle('now', now);
  }
});

/** The audio is too long to pass through the page's memory: the browser fetches it by a link. */
async function download(id, format) {
  const save = (href) => make('a', { href, download: `${id}.${format}` }).click();
  if (format === 'wav') return save((await audioLink(id)).url);
  const url = URL.createObjectURL(await ask(`/recordings/${id}/transcript?format=${format}`, { as: 'blob' }));
  save(url);
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function close() {
  shown = null;
  player.removeAttribute('src');
  player.load();
  $('detail').hidden = true;
}
$('close').addEventListener('click', close);

begin();
