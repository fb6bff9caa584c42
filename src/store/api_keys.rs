//! API keys: the store knows their hashes, never the keys.

use super::Store;
use super::database::{Arg, Record};
use super::error::StoreError;
use super::name::Name;
use super::types::{ApiKey, ApiKeyId, KeyHash, Timestamp};

/// The most keys: the list is read whole.
const MAX_KEYS: i64 = 10_000;
/// A key's last use is noted once in this time, so that a request costs no write.
const USE_RESOLUTION_MS: i64 = 60_000;

impl Store {
    /// Keeps a new key's hash.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the hash is known, even as a revoked key's; [`StoreError::Unavailable`]
    /// when the database fails.
    pub async fn create_api_key(&self, name: &Name, hash: &KeyHash) -> Result<ApiKey, StoreError> {
        let sql = "insert into api_key (name, hash, created_at) values ($1, $2, $3) on conflict (hash) do nothing \
                   returning api_key_id, name, created_at, last_used_at, revoked_at";
        let now = Arg::Integer(Timestamp::now().0);
        let args = [Arg::Text(name.as_str()), Arg::Bytes(&hash.0), now];
        let records = self.database.write("keep an API key", sql, &args).await?;
        records.first().map(api_key).ok_or(StoreError::Conflict { what: "API key" })?
    }

    /// All keys, revoked ones too, the newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database fails.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        let sql = "select api_key_id, name, created_at, last_used_at, revoked_at from api_key \
                   order by api_key_id desc limit $1";
        let records = self.database.read("list API keys", sql, &[Arg::Integer(MAX_KEYS)]).await?;
        records.iter().map(api_key).collect()
    }

    /// The key with this hash, unless it was revoked. Notes its use.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database fails.
    pub async fn find_api_key(&self, hash: &KeyHash) -> Result<Option<ApiKey>, StoreError> {
        let sql = "select api_key_id, name, created_at, last_used_at, revoked_at from api_key \
                   where hash = $1 and revoked_at is null";
        let record = self.database.read_one("find an API key", sql, &[Arg::Bytes(&hash.0)]).await?;
        let Some(key) = record.as_ref().map(api_key).transpose()? else { return Ok(None) };
        let now = Timestamp::now();
        if key.last_used_at.is_none_or(|last| now.0 - last.0 >= USE_RESOLUTION_MS) {
            let sql = "update api_key set last_used_at = $1 where api_key_id = $2";
            let args = [Arg::Integer(now.0), Arg::Integer(key.id.0)];
            self.database.execute("note an API key's use", sql, &args).await?;
            return Ok(Some(ApiKey { last_used_at: Some(now), ..key }));
        }
        Ok(Some(key))
    }

    /// Revokes a key for good.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none or it is revoked already; [`StoreError::Unavailable`] when
    /// the database fails.
    pub async fn revoke_api_key(&self, id: ApiKeyId) -> Result<(), StoreError> {
        let sql = "update api_key set revoked_at = $1 where api_key_id = $2 and revoked_at is null";
        let args = [Arg::Integer(Timestamp::now().0), Arg::Integer(id.0)];
        match self.database.execute("revoke an API key", sql, &args).await? {
            0 => Err(StoreError::NotFound { what: "API key", name: id.to_string() }),
            _ => Ok(()),
        }
    }
}

fn api_key(record: &Record) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        id: ApiKeyId(record.integer(0)?),
        name: record.text(1)?,
        created_at: record.timestamp(2)?,
        last_used_at: record.timestamp_or_null(3)?,
        revoked_at: record.timestamp_or_null(4)?,
    })
}
