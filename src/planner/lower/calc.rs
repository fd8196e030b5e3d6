//! Projections and filters.

use super::*;

impl Lowering<'_> {
    pub(super) fn project(
        &mut self,
        projection: &datafusion::logical_expr::Projection,
        input: Lowered,
    ) -> Planned<Lowered> {
        let from = projection.input.schema();
        let exprs = self.physical(&projection.expr, from, &projection.schema)?;
        let roles = projection
            .expr
            .iter()
            .map(|e| column_role(e, from, &input.roles))
            .collect();
        let sources: Vec<Option<usize>> = projection
            .expr
            .iter()
            .map(|e| as_column(e).and_then(|c| from.maybe_index_of_column(c)))
            .collect();
        let keys = moved_keys(&self.graph.nodes[input.node].changes.upsert_keys, |c| {
            sources.iter().position(|s| *s == Some(c))
        });
        let schema = arrow_schema(&projection.schema);
        let step = CalcStep::Project(exprs, Arc::clone(&schema));
        let node = self.calc(input.node, step, schema, keys);
        Ok(Lowered { node, roles })
    }

    pub(super) fn filter(
        &mut self,
        filter: &datafusion::logical_expr::Filter,
        is_used: impl Fn(usize) -> bool,
    ) -> Planned<Lowered> {
        if let Some(ranked) = self.ranked(filter, is_used)? {
            return Ok(ranked);
        }
        let input = self.lower(&filter.input)?;
        let predicate = self.expression(&filter.predicate, filter.input.schema())?;
        Ok(self.filtered(input, predicate))
    }

    pub(super) fn filtered(&mut self, input: Lowered, predicate: Arc<dyn PhysicalExpr>) -> Lowered {
        let node = &self.graph.nodes[input.node];
        let (schema, keys) = (Arc::clone(&node.schema), node.changes.upsert_keys.clone());
        let node = self.calc(input.node, CalcStep::Filter(predicate), schema, keys);
        Lowered { node, ..input }
    }

    /// The rows with `exprs` as columns: where they are, or computed after the others. Returns their places.
    pub(super) fn with_columns(
        &mut self,
        input: Lowered,
        exprs: &[Expr],
        schema: &DFSchema,
    ) -> Planned<(Lowered, Vec<usize>)> {
        let node_schema = Arc::clone(&self.graph.nodes[input.node].schema);
        let width = node_schema.fields().len();
        let (mut places, mut computed, mut fields) = (Vec::new(), Vec::new(), Vec::new());
        let mut roles = input.roles.clone();
        for expr in exprs {
            match as_column(expr).and_then(|c| schema.maybe_index_of_column(c)) {
                Some(column) => places.push(column),
                None => {
                    let physical = self.expression(expr, schema)?;
                    let data_type = self.datafusion(physical.data_type(&node_schema))?;
                    let name = format!("__{}", width + computed.len());
                    places.push(width + computed.len());
                    roles.push(column_role(expr, schema, &[]));
                    fields.push(Arc::new(arrow::datatypes::Field::new(
                        &name, data_type, true,
                    )));
                    computed.push((physical, name));
                }
            }
        }
        if computed.is_empty() {
            return Ok((input, places));
        }
        let own = (0..width).map(|i| column_expr(&node_schema, i));
        let all_fields: Vec<_> = node_schema.fields().iter().cloned().chain(fields).collect();
        let schema = Arc::new(Schema::new(all_fields));
        let step = CalcStep::Project(own.chain(computed).collect(), Arc::clone(&schema));
        let keys = self.graph.nodes[input.node].changes.upsert_keys.clone();
        let node = self.calc(input.node, step, schema, keys);
        Ok((Lowered { node, roles }, places))
    }

    /// The columns `keep` of rows, as columns of `schema`: its names, and its types where they differ.
    pub(super) fn reshape(
        &mut self,
        input: Lowered,
        keep: &[usize],
        schema: &SchemaRef,
    ) -> Planned<Lowered> {
        let node_schema = Arc::clone(&self.graph.nodes[input.node].schema);
        let is_same = keep.iter().copied().eq(0..node_schema.fields().len())
            && node_schema
                .fields()
                .iter()
                .zip(schema.fields())
                .all(|(a, b)| a.data_type() == b.data_type());
        if is_same {
            return Ok(input);
        }
        let mut exprs: Vec<NamedExpr> = Vec::new();
        for (place, field) in keep.iter().zip(schema.fields()) {
            let (column, _) = column_expr(&node_schema, *place);
            let expr = if node_schema.field(*place).data_type() == field.data_type() {
                column
            } else {
                let cast = datafusion::physical_expr::expressions::cast(
                    column,
                    &node_schema,
                    field.data_type().clone(),
                );
                self.datafusion(cast)?
            };
            exprs.push((expr, field.name().clone()));
        }
        let fields: Vec<_> = schema
            .fields()
            .iter()
            .zip(keep)
            .map(|(f, place)| {
                let nullable = f.is_nullable() || node_schema.field(*place).is_nullable();
                Arc::new(f.as_ref().clone().with_nullable(nullable))
            })
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let roles = keep.iter().map(|k| input.roles[*k]).collect();
        let keys = moved_keys(&self.graph.nodes[input.node].changes.upsert_keys, |c| {
            keep.iter().position(|k| *k == c)
        });
        let step = CalcStep::Project(exprs, Arc::clone(&schema));
        let node = self.calc(input.node, step, schema, keys);
        Ok(Lowered { node, roles })
    }

    /// The rows with a last column of NULLs, which nobody reads, so that they are of `schema`.
    pub(super) fn with_null_column(
        &mut self,
        input: Lowered,
        schema: &SchemaRef,
    ) -> Planned<Lowered> {
        let node_schema = Arc::clone(&self.graph.nodes[input.node].schema);
        let width = node_schema.fields().len();
        let mut exprs: Vec<NamedExpr> = (0..width).map(|i| column_expr(&node_schema, i)).collect();
        let field = schema.field(width);
        let null = self.datafusion(datafusion::common::ScalarValue::try_from(field.data_type()))?;
        exprs.push((
            Arc::new(datafusion::physical_expr::expressions::Literal::new(null)),
            field.name().clone(),
        ));
        let mut fields = node_schema.fields().to_vec();
        fields.push(Arc::new(field.clone().with_nullable(true)));
        let schema = Arc::new(Schema::new(fields));
        let mut roles = input.roles;
        roles.push(Role::Plain);
        let keys = self.graph.nodes[input.node].changes.upsert_keys.clone();
        let node = self.calc(
            input.node,
            CalcStep::Project(exprs, Arc::clone(&schema)),
            schema,
            keys,
        );
        Ok(Lowered { node, roles })
    }

    /// Adds a step to the Calc that `input` is, or a new Calc after it.
    pub(super) fn calc(
        &mut self,
        input: NodeId,
        step: CalcStep,
        schema: SchemaRef,
        upsert_keys: Vec<Vec<usize>>,
    ) -> NodeId {
        let shared = self
            .sources
            .values()
            .chain(self.written.values().flatten())
            .any(|l| l.node == input);
        let mut changes = self.graph.nodes[input].changes.clone();
        changes.upsert_keys = upsert_keys;
        let node = &mut self.graph.nodes[input];
        if let Operation::Calc(steps) = &mut node.operation
            && !shared
        {
            steps.push(step);
            node.schema = schema;
            node.changes = changes;
            return input;
        }
        let parallelism = node.parallelism;
        self.graph.add(Node {
            operation: Operation::Calc(vec![step]),
            inputs: vec![Input {
                from: input,
                exchange: Exchange::Forward,
            }],
            schema,
            changes,
            parallelism,
        })
    }

    pub(super) fn expression(
        &self,
        expr: &Expr,
        schema: &DFSchema,
    ) -> Planned<Arc<dyn PhysicalExpr>> {
        let made = create_physical_expr(
            expr,
            schema,
            &ExecutionProps::new(),
            &PhysicalPlanningContext::default(),
        );
        self.datafusion(made)
    }

    pub(super) fn physical(
        &self,
        exprs: &[Expr],
        input: &DFSchema,
        output: &DFSchema,
    ) -> Planned<Vec<NamedExpr>> {
        let names = output.fields().iter().map(|f| f.name().clone());
        exprs
            .iter()
            .zip(names)
            .map(|(e, name)| Ok((self.expression(e, input)?, name)))
            .collect()
    }
}

/// Upsert keys after a projection: those whose columns all have a place in it.
pub(super) fn moved_keys(
    keys: &[Vec<usize>],
    place: impl Fn(usize) -> Option<usize>,
) -> Vec<Vec<usize>> {
    keys.iter()
        .filter_map(|key| key.iter().map(|c| place(*c)).collect())
        .collect()
}

pub(super) fn unaliased(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => unaliased(&alias.expr),
        other => other,
    }
}

/// The column an expression is, under any aliases.
pub(super) fn as_column(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => as_column(&alias.expr),
        _ => None,
    }
}

pub(super) fn column_expr(schema: &Schema, i: usize) -> NamedExpr {
    let name = schema.field(i).name();
    (Arc::new(PhysicalColumn::new(name, i)), name.clone())
}

/// What an expression over columns means for time: what the column does that it is, or PROCTIME().
pub(super) fn column_role(expr: &Expr, schema: &DFSchema, roles: &[Role]) -> Role {
    if let Expr::ScalarFunction(call) = unaliased(expr)
        && call.name() == "proctime"
    {
        return Role::Proctime;
    }
    as_column(expr)
        .and_then(|c| schema.maybe_index_of_column(c))
        .and_then(|i| roles.get(i).copied())
        .unwrap_or(Role::Plain)
}
