//! All tables: read as of one moment, written to a database that has nothing yet, checked.

use deadpool_postgres::{Client, ClientWrapper, Transaction};
use protocol::id::JournalId;
use tokio_postgres::types::ToSql;

use super::rows::{self, array, value};
use super::{Postgres, reading, writing};
use crate::storage::StorageError;
use crate::storage::tables::{CONTRADICTIONS, Cell, Kind, Row, Sink, Source, TABLES, Table};

/// The advisory lock that running relays share; the letters of `ebbserve`.
pub(super) const SERVING: i64 = 0x6562_6273_6572_7665;

/// A connection for work on all tables.
pub(crate) struct Whole(ClientWrapper);

impl Postgres {
    /// Returns what is wrong with the tables, in words; nothing if all is well.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) async fn inspect(&self) -> Result<Vec<String>, StorageError> {
        let mut client = self.pool.get().await?;
        let db = reading(&mut client).await?;
        // These look at everything.
        db.batch_execute("SET LOCAL statement_timeout TO 0").await?;
        let mut wrong = Vec::new();
        for (what, sql) in CONTRADICTIONS {
            for row in rows::all(&db, sql, &[]).await? {
                let id = JournalId(array(&row, 0)?);
                wrong.push(format!("journal {id} {what}"));
            }
        }
        Ok(wrong)
    }

    /// Returns a connection for work on all tables.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) async fn whole(&self) -> Result<Whole, StorageError> {
        let client = self.pool.get().await?;
        client.batch_execute("SET statement_timeout TO 0").await?;
        // Taken out of the pool, so that its lock ends with it.
        Ok(Whole(Client::take(client)))
    }
}

impl Whole {
    /// Keeps relays from starting to serve until this is dropped, and returns whether none does now.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) async fn hold(&self) -> Result<bool, StorageError> {
        let held = "SELECT pg_try_advisory_lock($1)";
        let row = self.0.query_one(held, &[&SERVING]).await?;
        value(&row, 0)
    }

    /// Returns whether the tables have any rows.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) async fn has_anything(&self) -> Result<bool, StorageError> {
        for table in TABLES {
            let sql = format!("SELECT 1 FROM {} LIMIT 1", table.name);
            if self.0.query_opt(&sql, &[]).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Begins to read, as of now.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) async fn source(&mut self) -> Result<TablesSource<'_>, StorageError> {
        Ok(TablesSource(reading(&mut self.0).await?))
    }

    /// Begins to write.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) async fn sink(&mut self) -> Result<TablesSink<'_>, StorageError> {
        let db = writing(&mut self.0).await?;
        let idle = "SET LOCAL idle_in_transaction_session_timeout TO 0";
        db.batch_execute(idle).await?;
        Ok(TablesSink(db))
    }
}

/// All tables as of one moment.
pub(crate) struct TablesSource<'a>(Transaction<'a>);

impl Source for TablesSource<'_> {
    async fn rows(&mut self, table: &Table, after: Option<&Row>) -> Result<Vec<Row>, StorageError> {
        let (name, columns, page) = (table.name, table.names(), table.page);
        let keys = table.keys(|column, kind| match kind {
            // As bytes, whatever the database's language.
            Kind::Text => format!("{column} COLLATE \"C\""),
            Kind::Number | Kind::Bytes => column.to_owned(),
        });
        let marks: Vec<String> = (1..=table.key).map(|mark| format!("${mark}")).collect();
        let after_that = match after {
            Some(_) => format!("WHERE ({keys}) > ({})", marks.join(", ")),
            None => String::new(),
        };
        let sql = format!("SELECT {columns} FROM {name} {after_that} ORDER BY {keys} LIMIT {page}");
        let after = after.into_iter().flatten().take(table.key);
        let after: Vec<Box<dyn ToSql + Sync>> = after.map(parameter).collect();
        let after: Vec<rows::Parameter<'_>> = after.iter().map(AsRef::as_ref).collect();
        let found = rows::all(&self.0, &sql, &after).await?;
        let cells = |row: &tokio_postgres::Row| {
            let columns = table.columns.iter().enumerate();
            columns
                .map(|(at, (_, kind))| cell(row, at, *kind))
                .collect()
        };
        found.iter().map(cells).collect()
    }
}

/// All tables, to be filled.
pub(crate) struct TablesSink<'a>(Transaction<'a>);

impl Sink for TablesSink<'_> {
    async fn insert(&mut self, table: &Table, rows: Vec<Row>) -> Result<(), StorageError> {
        let (name, columns) = (table.name, table.names());
        let kinds = table.columns.iter().enumerate();
        let lists: Vec<String> = kinds
            .map(|(at, (_, kind))| format!("${}::{}[]", at + 1, type_name(*kind)))
            .collect();
        let lists = lists.join(", ");
        let sql = format!("INSERT INTO {name} ({columns}) SELECT * FROM unnest({lists})");
        let kinds = table.columns.iter().enumerate();
        let lists: Vec<Box<dyn ToSql + Sync>> = kinds
            .map(|(at, (_, kind))| column(&rows, at, *kind))
            .collect();
        let lists: Vec<rows::Parameter<'_>> = lists.iter().map(AsRef::as_ref).collect();
        rows::execute(&self.0, &sql, &lists).await?;
        Ok(())
    }
}

impl TablesSink<'_> {
    /// Keeps what was inserted; new rows are numbered from there.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) async fn finish(self) -> Result<(), StorageError> {
        for table in TABLES.iter().filter(|table| table.is_numbered()) {
            let name = table.name;
            let sql = format!(
                "SELECT setval(pg_get_serial_sequence('{name}', 'number'),
                   (SELECT coalesce(max(number), 0) + 1 FROM {name}), false)"
            );
            rows::all(&self.0, &sql, &[]).await?;
        }
        Ok(self.0.commit().await?)
    }
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Number => "bigint",
        Kind::Bytes => "bytea",
        Kind::Text => "text",
    }
}

fn cell(row: &tokio_postgres::Row, at: usize, kind: Kind) -> Result<Cell, StorageError> {
    let cell = match kind {
        Kind::Number => value::<Option<i64>>(row, at)?.map(Cell::Number),
        Kind::Bytes => value::<Option<Vec<u8>>>(row, at)?.map(Cell::Bytes),
        Kind::Text => value::<Option<String>>(row, at)?.map(Cell::Text),
    };
    Ok(cell.unwrap_or(Cell::Null))
}

fn parameter(cell: &Cell) -> Box<dyn ToSql + Sync> {
    match cell {
        Cell::Number(number) => Box::new(*number),
        Cell::Bytes(bytes) => Box::new(bytes.clone()),
        Cell::Text(text) => Box::new(text.clone()),
        Cell::Null => Box::new(None::<i64>),
    }
}

/// Returns a column of rows as one list.
fn column(rows: &[Row], at: usize, kind: Kind) -> Box<dyn ToSql + Sync> {
    let cells = rows.iter().map(|row| row.get(at));
    match kind {
        Kind::Number => Box::new(
            cells
                .map(|cell| match cell {
                    Some(Cell::Number(number)) => Some(*number),
                    _ => None,
                })
                .collect::<Vec<_>>(),
        ),
        Kind::Bytes => Box::new(
            cells
                .map(|cell| match cell {
                    Some(Cell::Bytes(bytes)) => Some(bytes.clone()),
                    _ => None,
                })
                .collect::<Vec<_>>(),
        ),
        Kind::Text => Box::new(
            cells
                .map(|cell| match cell {
                    Some(Cell::Text(text)) => Some(text.clone()),
                    _ => None,
                })
                .collect::<Vec<_>>(),
        ),
    }
}
