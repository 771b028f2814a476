//! Whole files: copied while they are in use, brought back, read and written table by table, checked.

use std::fs::File;
use std::path::{Path, PathBuf};

use protocol::id::JournalId;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, params_from_iter};

use super::schema::{self, OpenError};
use super::{FILE, Sqlite};
use crate::storage::StorageError;
use crate::storage::tables::{CONTRADICTIONS, Cell, Row, Sink, Source, Table};

/// Why a copy could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    /// There is a file already.
    #[error("there is {} already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot read or write {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The store cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The file is none of this program's, or cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl CopyError {
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// A file that is being made under another name beside the one it will have. Dropped unfinished, it is removed.
pub(crate) struct Unfinished {
    path: PathBuf,
    temporary: PathBuf,
}

impl Unfinished {
    /// Names a file that must not exist.
    ///
    /// # Errors
    /// [`CopyError`].
    pub(crate) fn new(path: &Path) -> Result<Self, CopyError> {
        if path.exists() {
            let path = path.to_owned();
            return Err(CopyError::Exists { path });
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".unfinished");
        let temporary = path.with_file_name(name);
        // One that was left behind is of no use.
        if temporary.exists() {
            std::fs::remove_file(&temporary).map_err(CopyError::file(&temporary))?;
        }
        schema::create_private(&temporary).map_err(CopyError::file(&temporary))?;
        Ok(Self {
            path: path.to_owned(),
            temporary,
        })
    }

    /// Returns where to write meanwhile.
    pub(crate) fn meanwhile(&self) -> &Path {
        &self.temporary
    }

    /// Gives the file its name, once all of it is on disk. Returns its size in bytes.
    ///
    /// # Errors
    /// [`CopyError`].
    pub(crate) fn finish(self) -> Result<u64, CopyError> {
        let file = File::open(&self.temporary).map_err(CopyError::file(&self.temporary))?;
        let written = file.sync_all().and_then(|()| file.metadata());
        let size = written.map_err(CopyError::file(&self.temporary))?.len();
        // A link, unlike a rename, replaces nothing that came meanwhile.
        std::fs::hard_link(&self.temporary, &self.path).map_err(CopyError::file(&self.path))?;
        let folder = self.path.parent().filter(|path| *path != Path::new(""));
        let folder = folder.unwrap_or(Path::new("."));
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(CopyError::file(folder))?;
        Ok(size)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // It is finished under its own name, or of no use.
        drop(std::fs::remove_file(&self.temporary));
    }
}

impl Sqlite {
    /// Copies the store, as it is at one moment, into a new file, while it is in use. Returns the copy's size in bytes.
    ///
    /// # Errors
    /// [`CopyError`]; no file is left then.
    pub(crate) async fn back_up(&self, path: &Path) -> Result<u64, CopyError> {
        let (from, path) = (self.path.clone(), path.to_owned());
        let copy = tokio::task::spawn_blocking(move || {
            let unfinished = Unfinished::new(&path)?;
            let connection = schema::open_reader(&from).map_err(StorageError::from)?;
            connection
                .execute_batch("PRAGMA query_only = OFF")
                .and_then(|()| {
                    let to = unfinished.meanwhile().to_string_lossy();
                    connection.execute("VACUUM INTO ?1", [to])
                })
                .map_err(StorageError::from)?;
            unfinished.finish()
        });
        copy.await.map_err(|_| StorageError::Closed)?
    }

    /// Returns what is wrong with the file, in words; nothing if all is well.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) async fn inspect(&self) -> Result<Vec<String>, StorageError> {
        self.readers.run(inspect).await
    }
}

/// Makes the store of a folder that has none from a copy, and returns its size in bytes.
///
/// # Errors
/// [`CopyError`]; the folder is as it was then.
pub(crate) fn bring_back(copy: &Path, folder: &Path) -> Result<u64, CopyError> {
    let unfinished = Unfinished::new(&folder.join(FILE))?;
    std::fs::copy(copy, unfinished.meanwhile()).map_err(CopyError::file(copy))?;
    // Brings what an older program wrote up to date, too.
    let connection = schema::open_writer(unfinished.meanwhile())?;
    let wrong = inspect(&connection).map_err(StorageError::from)?;
    if let Some(first) = wrong.into_iter().next() {
        let wrong = StorageError::Damaged(Box::new(Wrong(first)));
        return Err(wrong.into());
    }
    one_file(&connection).map_err(StorageError::from)?;
    drop(connection);
    unfinished.finish()
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Wrong(String);

fn inspect(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut wrong: Vec<String> = db
        .prepare("PRAGMA integrity_check(20)")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    wrong.retain(|line| line != "ok");
    let mut dangling = db.prepare("PRAGMA foreign_key_check")?;
    let mut dangling = dangling.query([])?;
    while let Some(row) = dangling.next()? {
        let table: String = row.get(0)?;
        wrong.push(format!("a row of {table} belongs to nothing"));
    }
    for (what, sql) in CONTRADICTIONS {
        let mut find = db.prepare(sql)?;
        let ids = find.query_map([], |row| row.get(0).map(JournalId))?;
        for id in ids {
            wrong.push(format!("journal {} {what}", id?));
        }
    }
    Ok(wrong)
}

/// A file, read table by table as of one moment.
pub(crate) struct FileSource(Connection);

impl FileSource {
    /// Opens a file that a relay has written, whether it is in use or not.
    ///
    /// # Errors
    /// [`CopyError`].
    pub(crate) fn open(path: &Path) -> Result<Self, CopyError> {
        let connection = schema::open_copy(path)?;
        let begun = connection.execute_batch("BEGIN");
        begun.map_err(StorageError::from)?;
        Ok(Self(connection))
    }

    /// Opens a folder's.
    ///
    /// # Errors
    /// [`CopyError`].
    pub(crate) fn of_folder(folder: &Path) -> Result<Self, CopyError> {
        Self::open(&folder.join(FILE))
    }
}

impl Source for FileSource {
    async fn rows(&mut self, table: &Table, after: Option<&Row>) -> Result<Vec<Row>, StorageError> {
        let (name, columns) = (table.name, table.names());
        let keys = table.keys(|column, _| column.to_owned());
        let marks = vec!["?"; table.key].join(", ");
        let after_that = match after {
            Some(_) => format!("WHERE ({keys}) > ({marks})"),
            None => String::new(),
        };
        let page = table.page;
        let sql = format!("SELECT {columns} FROM {name} {after_that} ORDER BY {keys} LIMIT {page}");
        let mut select = self.0.prepare_cached(&sql)?;
        let after = after.into_iter().flatten().take(table.key).map(value);
        let rows = select.query_map(params_from_iter(after), |row| {
            let cells = 0..table.columns.len();
            cells.map(|column| cell(row.get_ref(column)?)).collect()
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// A new file, written table by table.
pub(crate) struct FileSink(Connection);

impl FileSink {
    /// Makes the tables in an empty file.
    ///
    /// # Errors
    /// [`CopyError`].
    pub(crate) fn create(path: &Path) -> Result<Self, CopyError> {
        let connection = schema::open_writer(path)?;
        let begun = connection.execute_batch("BEGIN IMMEDIATE");
        begun.map_err(StorageError::from)?;
        Ok(Self(connection))
    }

    /// Keeps what was inserted, in the one file.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) fn finish(self) -> Result<(), StorageError> {
        self.0.execute_batch("COMMIT")?;
        Ok(one_file(&self.0)?)
    }
}

/// Writes what stands in the write-ahead log into the file, which can be moved then.
fn one_file(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
}

impl Sink for FileSink {
    async fn insert(&mut self, table: &Table, rows: Vec<Row>) -> Result<(), StorageError> {
        let marks = vec!["?"; table.columns.len()].join(", ");
        let (name, columns) = (table.name, table.names());
        let sql = format!("INSERT INTO {name} ({columns}) VALUES ({marks})");
        let mut insert = self.0.prepare_cached(&sql)?;
        for row in &rows {
            insert.execute(params_from_iter(row.iter().map(value)))?;
        }
        Ok(())
    }
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Number(number) => Value::Integer(*number),
        Cell::Bytes(bytes) => Value::Blob(bytes.clone()),
        Cell::Text(text) => Value::Text(text.clone()),
    }
}

fn cell(value: ValueRef<'_>) -> rusqlite::Result<Cell> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Number(number),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
        ValueRef::Text(_) => Cell::Text(value.as_str()?.to_owned()),
        ValueRef::Real(_) => return Err(rusqlite::Error::InvalidQuery),
    })
}
