// Where oidc-provider keeps its models: in a map, or in a SQLite file with the durability that
// Jeton has (every commit is on disk before the answer). The one that the package brings keeps at
// most 1,000 entries, which would not hold the tokens of one second.
import Database from 'better-sqlite3';

const now = () => Math.floor(Date.now() / 1000);

const map = new Map();
const grants = new Map();

export class MemoryAdapter {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload, expiresIn) {
    const key = this.key(id);
    map.set(key, { payload, expiresAt: expiresIn ? now() + expiresIn : Infinity });
    if (payload.grantId && this.model !== 'Grant') {
      const keys = grants.get(payload.grantId);
      if (keys) keys.push(key);
      else grants.set(payload.grantId, [key]);
    }
  }

  async find(id) {
    const entry = map.get(this.key(id));
    return entry && entry.expiresAt > now() ? entry.payload : undefined;
  }

  async consume(id) {
    map.get(this.key(id)).payload.consumed = now();
  }

  async destroy(id) {
    map.delete(this.key(id));
  }

  async revokeByGrantId(grantId) {
    for (const key of grants.get(grantId) ?? []) map.delete(key);
    grants.delete(grantId);
  }

  async findByUid() {}

  async findByUserCode() {}
}

export function sqliteAdapter(path) {
  const database = new Database(path);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec(`CREATE TABLE IF NOT EXISTS model(
    id TEXT PRIMARY KEY, grant_id TEXT, expires_at INTEGER, payload TEXT NOT NULL) WITHOUT ROWID`);
  const insert = database.prepare(
    `INSERT INTO model VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
     payload = excluded.payload, expires_at = excluded.expires_at`);
  const find = database.prepare('SELECT payload FROM model WHERE id = ? AND expires_at > ?');
  const consume = database.prepare(
    `UPDATE model SET payload = json_set(payload, '$.consumed', ?) WHERE id = ?`);
  const destroy = database.prepare('DELETE FROM model WHERE id = ?');
  const revoke = database.prepare('DELETE FROM model WHERE grant_id = ?');

  return class SqliteAdapter extends MemoryAdapter {
    async upsert(id, payload, expiresIn) {
      insert.run(this.key(id), payload.grantId ?? null,
        expiresIn ? now() + expiresIn : Number.MAX_SAFE_INTEGER, JSON.stringify(payload));
    }

    async find(id) {
      const row = find.get(this.key(id), now());
      return row ? JSON.parse(row.payload) : undefined;
    }

    async consume(id) {
      consume.run(now(), this.key(id));
    }

    async destroy(id) {
      destroy.run(this.key(id));
    }

    async revokeByGrantId(grantId) {
      revoke.run(grantId);
    }
  };
}
