//! Versions of the project, and their mappings as they were.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::super::{Project, ProjectId, ProjectVersion, StoreError};
use super::convert;

pub(super) async fn remember(
    c: &mut SqliteConnection,
    project: &Project,
    now: DateTime<Utc>,
) -> Result<ProjectId, StoreError> {
    let revision = project.revision.as_deref().unwrap_or_default();
    let fingerprint = project.fingerprint();
    let known: Option<i64> =
        sqlx::query_scalar("SELECT id FROM projects WHERE fingerprint = ?1 AND revision = ?2")
            .bind(&fingerprint)
            .bind(revision)
            .fetch_optional(&mut *c)
            .await?;
    if let Some(id) = known {
        return Ok(ProjectId(id));
    }
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO projects (fingerprint, revision, since) VALUES (?1, ?2, ?3) RETURNING id",
    )
    .bind(&fingerprint)
    .bind(revision)
    .bind(convert::micros(now))
    .fetch_one(&mut *c)
    .await?;
    for (file, text) in &project.files {
        let digest = hex::encode(Sha256::digest(text));
        sqlx::query("INSERT INTO project_texts (digest, text) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
            .bind(&digest)
            .bind(text)
            .execute(&mut *c)
            .await?;
        sqlx::query("INSERT INTO project_files (project, file, digest) VALUES (?1, ?2, ?3)")
            .bind(id)
            .bind(file)
            .bind(&digest)
            .execute(&mut *c)
            .await?;
    }
    Ok(ProjectId(id))
}

pub(super) async fn version(
    c: &mut SqliteConnection,
    id: ProjectId,
) -> Result<Option<ProjectVersion>, StoreError> {
    let row = sqlx::query("SELECT fingerprint, revision, since FROM projects WHERE id = ?1")
        .bind(id.0)
        .fetch_optional(c)
        .await?;
    row.map(|row| {
        let revision: String = row.try_get("revision")?;
        Ok(ProjectVersion {
            revision: (!revision.is_empty()).then_some(revision),
            fingerprint: row.try_get("fingerprint")?,
            since: convert::time(row.try_get("since")?)?,
        })
    })
    .transpose()
}

pub(super) async fn line(
    c: &mut SqliteConnection,
    id: ProjectId,
    file: &str,
    line: usize,
) -> Result<Option<String>, StoreError> {
    let text: Option<String> = sqlx::query_scalar(
        "SELECT text FROM project_files JOIN project_texts USING (digest) WHERE project = ?1 AND file = ?2",
    )
    .bind(id.0)
    .bind(file)
    .fetch_optional(c)
    .await?;
    Ok(text.and_then(|text| text.lines().nth(line.checked_sub(1)?).map(str::to_owned)))
}
