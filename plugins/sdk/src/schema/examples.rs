//! An example of every event, as it stands in logs: what is here was promised.

use serde_json::{Value, json};

const AT: &str = "2025-01-17T22:55:32Z";
const ID: &str = "20250117225532_4AFEA8B6";

/// Name and payload of each event.
pub(super) fn examples() -> Vec<(&'static str, Value)> {
    [recordings(), system(), log(), stages()].concat()
}

fn recordings() -> Vec<(&'static str, Value)> {
    let metadata = json!({ "eventTitle": "Weekly", "room": { "floor": 2 } });
    let tracks = json!([{ "label": "Microphone", "path": "a.wav" }, { "label": null, "path": "x/" }]);
    let started = json!({
        "recording_id": ID, "title": "Weekly", "attendees": ["Bo"], "timestamp": AT, "origin": "client",
        "tracks": tracks, "metadata": metadata, "format": null,
    });
    let far_end =
        json!([{ "label": null, "path": "s.wav", "source": "system", "channel_labels": ["Anna", ""] }]);
    let mut adopted = started.clone();
    adopted["origin"] = "device".into();
    adopted["format"] = json!({ "sample": "S16_LE", "rate_hz": 48_000, "channels": 2 });
    adopted["adopted"] = true.into();
    let word = json!({ "start_ms": 0, "end_ms": 400, "text": "Hello.", "confidence": 0.5 });
    let segment = json!({
        "start_ms": 0, "end_ms": 400, "speaker": "Anna", "text": "Hello.", "words": [word],
        "confidence": 0.5,
    });
    vec![
        ("recording.started", started),
        ("recording.started", adopted),
        ("recording.paused", json!({ "recording_id": ID, "at_ms": 1500 })),
        ("recording.resumed", json!({ "recording_id": ID, "at_ms": 1500 })),
        (
            "recording.ended",
            json!({
                "recording_id": ID, "title": "Weekly", "attendees": ["Bo"], "timestamp": AT,
                "origin": "device", "duration_ms": 1500, "interrupted": false, "problem": null,
                "tracks": tracks, "metadata": metadata,
            }),
        ),
        (
            "recording.transcription_requested",
            json!({
                "recording_id": ID, "title": "Weekly", "attendees": ["Bo"], "timestamp": AT,
                "origin": "client", "duration_ms": 1500, "interrupted": true, "problem": "no disk",
                "tracks": far_end, "metadata": metadata, "started_at": AT,
            }),
        ),
        (
            "recording.updated",
            json!({ "recording_id": ID, "title": "Weekly", "attendees": [], "metadata": metadata }),
        ),
        ("recording.deleted", json!({ "recording_id": ID })),
        ("caption.published", json!({ "recording_id": ID, "segment": segment })),
        ("caption.skipped", json!({ "recording_id": ID, "skipped_ms": 900, "waiting_ms": 30_000 })),
        (
            "transcription_local.completed",
            json!({
                "recording_id": ID, "status": "completed", "timestamp": AT, "output_file": "x/transcript.json",
                "segments": 2, "duration_ms": 1500, "config": { "model": "base.en", "language": "en" },
                "metadata": metadata,
            }),
        ),
        (
            "transcription_local.completed",
            json!({
                "recording_id": ID, "status": "completed", "timestamp": AT, "output_file": "x.json",
                "segments": 2, "duration_ms": 1500, "config": { "model": "base.en", "language": "en" },
                "metadata": metadata, "title": "Weekly", "attendees": ["Bo"], "started_at": AT,
                "files": ["x.json", "x.srt"], "problem": "no far end",
            }),
        ),
        ("audio_transcription_local.requested", json!({ "recording_id": ID })),
        (
            "meeting_notes_local.requested",
            json!({
                "recording_id": ID, "status": "completed", "timestamp": AT, "output_file": "x.json",
                "segments": 2, "duration_ms": 1500, "config": { "model": "base.en", "language": "en" },
                "metadata": metadata,
            }),
        ),
        (
            "transcription_local.error",
            json!({ "recording_id": ID, "status": "error", "timestamp": AT, "error": "no model" }),
        ),
    ]
}

fn system() -> Vec<(&'static str, Value)> {
    let key = json!({ "key_id": "k1", "name": "Anna", "role": "viewer" });
    vec![
        (
            "capture.opened",
            json!({ "device": "hw:0", "format": { "sample": "S24_3LE", "rate_hz": 48_000, "channels": 2 } }),
        ),
        ("capture.lost", json!({ "reason": "it was unplugged" })),
        ("capture.overrun", json!({ "total": 3 })),
        ("capture.ended", json!({})),
        ("model.loaded", json!({ "model": "base.en", "accelerator": "cpu", "ms": 120 })),
        ("model.failed", json!({ "model": "base.en", "reason": "there is no such file" })),
        (
            "model.fetched",
            json!({ "model": "base.en", "bytes": 147_964_211, "sha256": "a0".repeat(32), "ms": 21_000 }),
        ),
        ("model.fetch_failed", json!({ "model": "base.en", "reason": "the server answers 404" })),
        ("system.started", json!({ "version": "0.1.0", "address": "127.0.0.1:54789" })),
        ("system.stopped", json!({})),
        ("key.created", key.clone()),
        ("key.revoked", key),
        (
            "plugin.state_changed",
            json!({ "plugin": "example", "from": "starting", "to": "running", "reason": "it has started" }),
        ),
        ("plugin.config_changed", json!({ "plugin": "example", "version": "1.0.0", "changed": ["delay_s"] })),
        (
            "plugin.permission_denied",
            json!({ "plugin": "example", "permission": "publish", "what": "recording.ended" }),
        ),
    ]
}

fn log() -> Vec<(&'static str, Value)> {
    let id = "01947662-4e4d-7000-8000-000000000000";
    let replay = json!({
        "replay_id": id, "dead_letters": false, "subscription": "example", "delivered": 99, "failed": 1,
        "until": 1000,
    });
    let mut to_all = replay.clone();
    to_all["subscription"] = Value::Null;
    vec![
        (
            "subscription.dead_lettered",
            json!({
                "subscription": "example", "event_id": id, "event_name": "recording.ended", "seq": 7,
                "error": "the disk is full",
            }),
        ),
        ("replay.started", to_all),
        ("replay.completed", replay.clone()),
        ("replay.stopped", replay),
        ("retention.pruned", json!({ "events": 1000, "first_seq": 1001 })),
        (
            "retention.forced",
            json!({ "first_seq": 1, "last_seq": 1000, "events": 1000, "subscriptions": ["example"] }),
        ),
        (
            "backup.completed",
            json!({ "name": "2025-01-17T225532Z", "bytes": 40_960, "last_seq": 7, "duration_ms": 12 }),
        ),
        ("backup.failed", json!({ "error": "the disk is full" })),
    ]
}

fn stages() -> Vec<(&'static str, Value)> {
    let stage = |key: &str, did: Value| json!({ "recording_id": ID, key: did, "metadata": { "eventTitle": "Weekly" } });
    let failed = |key: &str| {
        let did =
            json!({ "status": "error", "timestamp": AT, "error": "no file", "config": { "alpha": 1.2 } });
        stage(key, did)
    };
    let notes = stage(
        "meeting_notes",
        json!({
            "status": "completed", "timestamp": AT, "recording_id": ID, "notes_path": "x_meeting_notes.md",
            "input_paths": { "transcript": "x_merged.md" }, "config": { "model_name": "llama3.1:8b" },
        }),
    );
    let mut extracted = notes.clone();
    extracted["meeting_notes"]["written_by"] = "extract".into();
    extracted["meeting_notes"]["problem"] = "Ollama does not answer".into();
    extracted["meeting_notes"]["files"] = json!(["x_meeting_notes.md"]);
    let mut remote = notes.clone();
    remote["meeting_notes"]["written_by"] = "language_model".into();
    remote["meeting_notes"]["left_the_box"] = true.into();
    vec![
        (
            "directory_sync.completed",
            stage(
                "directory_sync",
                json!({
                    "status": "completed", "timestamp": AT, "source": "data/notes", "destination": "/mnt/n",
                    "copied": 2, "removed": 1, "bytes": 4096,
                }),
            ),
        ),
        ("directory_sync.error", failed("directory_sync")),
        (
            "desktop_notification.offered",
            json!({
                "key": "k", "title": "Notes are ready", "message": "Those of Weekly.", "urgency": "info",
                "recording_id": ID,
            }),
        ),
        ("meeting_notes_local.completed", extracted),
        (
            "noise_reduction.completed",
            stage(
                "noise_reduction",
                json!({
                    "status": "completed", "timestamp": AT, "recording_id": ID, "output_path": "clean.wav",
                    "system_audio_path": null, "microphone_audio_path": "m.wav", "method": null,
                    "config": {}, "gain_db": 6.5, "files": ["clean.wav"], "problem": "no far end",
                }),
            ),
        ),
        (
            "desktop_notification.completed",
            stage(
                "desktop_notification",
                json!({
                    "status": "completed", "timestamp": AT, "recording_id": ID, "notes_path": "n.md",
                    "notification_sent": true, "config": { "auto_open": false },
                    "channels": [{ "channel": "page", "sent": true },
                        { "channel": "email", "sent": false, "error": "refused" }],
                    "problem": "email: refused",
                }),
            ),
        ),
        (
            "cleanup_files.completed",
            stage(
                "cleanup_files",
                json!({
                    "status": "completed", "timestamp": AT, "recording_id": ID, "cleaned_files": ["clean.wav"],
                    "config": { "include_dirs": ["data"], "exclude_dirs": [], "cleanup_delay": 5 },
                    "dry_run": true, "bytes": 4096, "reason": "the disk is short of space",
                }),
            ),
        ),
        (
            "noise_reduction.completed",
            stage(
                "noise_reduction",
                json!({
                    "status": "completed", "timestamp": AT, "recording_id": ID, "output_path": "clean.wav",
                    "system_audio_path": "s.wav", "microphone_audio_path": "m.wav",
                    "method": "frequency_domain", "config": { "wiener_alpha": 1.2 },
                }),
            ),
        ),
        ("noise_reduction.error", failed("noise_reduction")),
        ("meeting_notes_local.completed", notes.clone()),
        ("meeting_notes_local.error", failed("meeting_notes")),
        ("meeting_notes_remote.completed", remote),
        ("meeting_notes_remote.error", failed("meeting_notes")),
        (
            "desktop_notification.completed",
            stage(
                "desktop_notification",
                json!({
                    "status": "completed", "timestamp": AT, "recording_id": ID, "notes_path": "n.md",
                    "notification_sent": true, "config": { "auto_open": false },
                }),
            ),
        ),
        ("desktop_notification.error", failed("desktop_notification")),
        (
            "cleanup_files.completed",
            stage(
                "cleanup_files",
                json!({
                    "status": "completed", "timestamp": AT, "recording_id": ID, "cleaned_files": ["clean.wav"],
                    "config": { "include_dirs": ["data"], "exclude_dirs": [], "cleanup_delay": 5 },
                }),
            ),
        ),
        ("cleanup_files.error", failed("cleanup_files")),
        (
            "example.completed",
            stage("example", json!({ "status": "completed", "timestamp": AT, "recording_id": ID })),
        ),
        ("example.error", failed("example")),
    ]
}
