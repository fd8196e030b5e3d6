//! A query's rows as rows of its sink.

use std::sync::Arc;

use super::*;

impl Lowering<'_> {
    /// The query's rows under the sink's names; at most one of its columns is a time attribute.
    pub(super) fn sink_rows(&mut self, query: Lowered, insert: &InsertPlan) -> Planned<Lowered> {
        if insert.is_select {
            return Ok(query);
        }
        let rowtimes: Vec<&str> = query
            .roles
            .iter()
            .zip(&insert.names)
            .filter(|(r, _)| r.is_time_attribute())
            .map(|(_, name)| name.as_str())
            .collect();
        if rowtimes.len() > 1 {
            return Err(self.mistake(
                format!(
                    "The query contains more than one rowtime attribute column [{}] for writing into table '{}'",
                    rowtimes.join(", "),
                    insert.name
                ),
                format!("Please select the column that should be used as the event-time timestamp by casting all other columns to TIMESTAMP or TIMESTAMP_LTZ: CAST(`{}` AS TIMESTAMP(3))", rowtimes[1]),
            ));
        }
        // NULLs in NOT NULL columns are the sink's to refuse or drop.
        let fields = insert.sink.sink_schema();
        let fields = fields.fields().iter();
        let schema = Schema::new(
            fields
                .map(|f| f.as_ref().clone().with_nullable(true))
                .collect::<Vec<_>>(),
        );
        let keep: Vec<usize> = (0..schema.fields().len()).collect();
        self.reshape(query, &keep, &Arc::new(schema))
    }
}
