//! How a scalar function is declared: its argument kinds, result type and NULL rule in one table row; the rest is here.

use std::any::type_name;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, BooleanBuilder, PrimitiveArray,
    PrimitiveBuilder, StringArray,
};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Field, FieldRef, Float64Type, TimeUnit,
};
use datafusion::common::{
    Result, ScalarValue, exec_datafusion_err, exec_err, plan_datafusion_err, plan_err,
};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

/// What an argument may be, and what it is turned into before a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// STRING.
    Text,
    /// Any whole number, as BIGINT.
    Int,
    /// Any number, as DOUBLE.
    Double,
    /// Any number, as it is.
    Number,
    /// TIMESTAMP, TIMESTAMP_LTZ, DATE or TIME, as it is.
    Time,
    /// STRING, or TIMESTAMP and similar as it is.
    TimeOrText,
    /// STRING or a whole number (as BIGINT).
    IntOrText,
    /// Any number, or a TIMESTAMP of either kind, as it is.
    NumberOrTime,
    /// Any number as it is, or STRING.
    NumberOrText,
    /// STRING or BYTES, as it is.
    Bytes,
}

impl Kind {
    fn accept(self, given: &DataType) -> Option<DataType> {
        let text = matches!(
            given,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        );
        let whole = given.is_integer();
        let number = given.is_numeric();
        let time = given.is_temporal();
        let null = *given == DataType::Null;
        match self {
            Self::Text => (text || null).then_some(DataType::Utf8),
            Self::Int => (whole || null).then_some(DataType::Int64),
            Self::Double => (number || null).then_some(DataType::Float64),
            Self::Number if null => Some(DataType::Int32),
            Self::Number => number.then(|| given.clone()),
            Self::Time if null => Some(MILLIS),
            Self::Time => time.then(|| given.clone()),
            Self::TimeOrText if time => Some(given.clone()),
            Self::TimeOrText => (text || null).then_some(DataType::Utf8),
            Self::IntOrText if whole => Some(DataType::Int64),
            Self::IntOrText => (text || null).then_some(DataType::Utf8),
            Self::NumberOrTime if null => Some(DataType::Int32),
            Self::NumberOrTime => (number || time).then(|| given.clone()),
            Self::NumberOrText if number => Some(given.clone()),
            Self::NumberOrText => (text || null).then_some(DataType::Utf8),
            Self::Bytes if *given == DataType::Binary => Some(DataType::Binary),
            Self::Bytes => (text || null).then_some(DataType::Utf8),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "STRING",
            Self::Int => "a whole number",
            Self::Double | Self::Number => "a number",
            Self::Time => "a date or time",
            Self::TimeOrText => "a date or time, or STRING",
            Self::IntOrText => "a whole number or STRING",
            Self::NumberOrTime => "a number, date or time",
            Self::NumberOrText => "a number or STRING",
            Self::Bytes => "STRING or BYTES",
        }
    }
}

/// TIMESTAMP(3).
pub(crate) const MILLIS: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

/// Which arguments a function takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Takes {
    /// These, of which the first `n` must be given.
    Fixed(usize, &'static [Kind]),
    /// Any number of one kind, at least so many.
    Many(usize, Kind),
    /// What the function says.
    Own(fn(&[DataType]) -> Result<Vec<DataType>>),
}

/// When a result may be NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nulls {
    /// Exactly when an argument is.
    Strict,
    /// Exactly when all arguments are.
    All,
    /// Also for other reasons.
    Maybe,
    /// Never.
    Never,
}

/// One scalar function.
#[derive(Debug)]
pub(crate) struct Function {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub takes: Takes,
    /// The result type for the argument types, and the values of constant arguments.
    pub returns: fn(&[DataType], &[Option<&ScalarValue>]) -> Result<DataType>,
    pub nulls: Nulls,
    pub volatility: Volatility,
    pub eval: fn(&Call) -> Result<ArrayRef>,
    /// Whether every row has a result of its own, though the arguments are constant.
    pub is_random: bool,
    /// Whether the result is JSON as such, which JSON_OBJECT and similar take in without quoting it.
    pub makes_json: bool,
    /// Whether the values of a row can make it fail.
    pub fails: bool,
}

/// The metadata of a field that says so.
const JSON_MARK: &str = "flowline.json";

impl Function {
    /// A deterministic function without aliases.
    pub const fn new(
        name: &'static str,
        takes: Takes,
        returns: fn(&[DataType], &[Option<&ScalarValue>]) -> Result<DataType>,
        nulls: Nulls,
        eval: fn(&Call) -> Result<ArrayRef>,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            takes,
            returns,
            nulls,
            volatility: Volatility::Immutable,
            eval,
            is_random: false,
            makes_json: false,
            fails: false,
        }
    }

    /// A function that some values make fail.
    pub const fn fails(mut self) -> Self {
        self.fails = true;
        self
    }

    pub const fn makes_json(mut self) -> Self {
        self.makes_json = true;
        self
    }

    pub const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
}

/// The DataFusion functions of a table.
pub(crate) fn udfs(table: &'static [Function]) -> impl Iterator<Item = Arc<ScalarUDF>> {
    table.iter().map(udf)
}

/// The DataFusion function of one row.
pub(crate) fn udf(function: &'static Function) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Udf {
        function,
        signature: match function.takes {
            Takes::Fixed(_, []) => Signature::nullary(function.volatility),
            _ => Signature::user_defined(function.volatility),
        },
        aliases: function.aliases.iter().map(ToString::to_string).collect(),
    }))
}

#[derive(Debug)]
struct Udf {
    function: &'static Function,
    signature: Signature,
    aliases: Vec<String>,
}

impl PartialEq for Udf {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name
    }
}

impl Eq for Udf {}

impl Hash for Udf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
    }
}

fn arguments(count: usize) -> String {
    format!("{count} argument{}", if count == 1 { "" } else { "s" })
}

impl ScalarUDFImpl for Udf {
    fn name(&self) -> &str {
        self.function.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        (self.function.returns)(types, &vec![None; types.len()])
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = args
            .arg_fields
            .iter()
            .map(|f| f.data_type().clone())
            .collect();
        let nullable = match self.function.nulls {
            Nulls::Strict => args.arg_fields.iter().any(|f| f.is_nullable()),
            Nulls::All => args.arg_fields.iter().all(|f| f.is_nullable()),
            Nulls::Maybe => true,
            Nulls::Never => false,
        };
        let data_type = (self.function.returns)(&types, args.scalar_arguments)?;
        let field = Field::new(self.function.name, data_type, nullable);
        Ok(Arc::new(if self.function.makes_json {
            field.with_metadata(HashMap::from([(JSON_MARK.into(), "true".into())]))
        } else {
            field
        }))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.function.name.to_uppercase();
        let accept = |at: usize, kind: Kind, given: &DataType| {
            kind.accept(given).ok_or_else(|| {
                plan_datafusion_err!(
                    "{name}: argument {} is {given}, expected {}",
                    at + 1,
                    kind.name()
                )
            })
        };
        match self.function.takes {
            Takes::Fixed(least, kinds) => {
                if given.len() < least || given.len() > kinds.len() {
                    let expected = if least == kinds.len() {
                        least.to_string()
                    } else {
                        format!("{least} to {}", kinds.len())
                    };
                    return plan_err!("{name}: {}, expected {expected}", arguments(given.len()));
                }
                let pairs = given.iter().zip(kinds).enumerate();
                pairs.map(|(i, (g, k))| accept(i, *k, g)).collect()
            }
            Takes::Many(least, kind) => {
                if given.len() < least {
                    return plan_err!(
                        "{name}: {}, expected {least} or more",
                        arguments(given.len())
                    );
                }
                let given = given.iter().enumerate();
                given.map(|(i, g)| accept(i, kind, g)).collect()
            }
            Takes::Own(own) => own(given),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut given = args.args.iter();
        let constant =
            !self.function.is_random && given.all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let result_type = args.return_field.data_type().clone();
        let are_json = args
            .arg_fields
            .iter()
            .map(|field| field.metadata().contains_key(JSON_MARK))
            .collect();
        let args = args
            .args
            .into_iter()
            .map(|a| match a {
                ColumnarValue::Array(array) => Ok((array, false)),
                ColumnarValue::Scalar(value) => Ok((value.to_array_of_size(1)?, true)),
            })
            .collect::<Result<Vec<_>>>()?;
        let call = Call {
            name: self.function.name,
            args,
            are_json,
            rows,
            result_type,
        };
        let result = (self.function.eval)(&call)?;
        if constant {
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &result, 0,
            )?))
        } else {
            Ok(ColumnarValue::Array(result))
        }
    }
}

/// One call on a batch of rows. A constant argument is an array of one.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) args: Vec<(ArrayRef, bool)>,
    are_json: Vec<bool>,
    pub rows: usize,
    pub result_type: DataType,
}

impl Call {
    /// The function's name as users write it.
    pub fn name(&self) -> String {
        self.name.to_uppercase()
    }

    pub fn len(&self) -> usize {
        self.args.len()
    }

    pub fn data_type(&self, at: usize) -> &DataType {
        self.args[at].0.data_type()
    }

    pub fn is_constant(&self, at: usize) -> bool {
        self.args[at].1
    }

    /// Whether the argument is JSON as such: the result of a function that makes JSON.
    pub fn is_json(&self, at: usize) -> bool {
        self.are_json.get(at).copied().unwrap_or(false)
    }

    /// The argument's array: as long as the batch, or one value if it is constant.
    pub fn array(&self, at: usize) -> &ArrayRef {
        &self.args[at].0
    }

    /// The argument with one value a row.
    pub fn full_array(&self, at: usize) -> Result<ArrayRef> {
        let (array, constant) = &self.args[at];
        if *constant && self.rows != 1 {
            let bytes = text_bytes(array).saturating_mul(self.rows);
            self.column_fits(bytes)?;
            return ScalarValue::try_from_array(array, 0)?.to_array_of_size(self.rows);
        }
        Ok(Arc::clone(array))
    }

    /// The argument, read as an Arrow array of the type `A`.
    pub fn column<A: Array + 'static>(&self, at: usize) -> Result<Column<'_, A>> {
        let (array, constant) = &self.args[at];
        let array = array.as_any().downcast_ref::<A>().ok_or_else(|| {
            exec_datafusion_err!(
                "{}: argument {} is {}, expected {}",
                self.name(),
                at + 1,
                array.data_type(),
                type_name::<A>()
            )
        })?;
        Ok(Column {
            array,
            constant: *constant,
        })
    }

    /// The argument cast to the type `T`, with one value a row.
    pub fn cast<T: ArrowPrimitiveType>(&self, at: usize) -> Result<Cast<T>> {
        let array = datafusion::arrow::compute::cast(&self.args[at].0, &T::DATA_TYPE)?;
        let array = array.as_primitive_opt::<T>().cloned();
        match array {
            Some(array) => Ok(Cast {
                array,
                constant: self.args[at].1,
            }),
            None => exec_err!(
                "{}: argument {} is no {}",
                self.name(),
                at + 1,
                T::DATA_TYPE
            ),
        }
    }

    pub fn text(&self, at: usize) -> Result<Column<'_, StringArray>> {
        self.column(at)
    }

    pub fn ints(&self, at: usize) -> Result<Column<'_, PrimitiveArray<BigInt>>> {
        self.column(at)
    }

    pub fn doubles(&self, at: usize) -> Result<Column<'_, PrimitiveArray<Float64Type>>> {
        self.column(at)
    }

    /// The one value of a constant text argument; None if it is NULL or not constant.
    pub fn constant_text(&self, at: usize) -> Option<&str> {
        if at >= self.len() || !self.is_constant(at) {
            return None;
        }
        let array = self.args[at].0.as_any().downcast_ref::<StringArray>()?;
        array.is_valid(0).then(|| array.value(0))
    }

    /// A result of a fixed width, row by row, in the declared result type.
    pub fn values<T: ArrowPrimitiveType>(
        &self,
        mut row: impl FnMut(usize) -> Result<Option<T::Native>>,
    ) -> Result<ArrayRef> {
        let mut builder = PrimitiveBuilder::<T>::with_capacity(self.rows);
        for i in 0..self.rows {
            builder.append_option(row(i)?);
        }
        let array = builder.finish();
        if *array.data_type() == self.result_type {
            return Ok(Arc::new(array));
        }
        Ok(Arc::new(array.with_data_type(self.result_type.clone())))
    }

    /// A BOOLEAN result, row by row.
    pub fn booleans(&self, mut row: impl FnMut(usize) -> Result<Option<bool>>) -> Result<ArrayRef> {
        let mut builder = BooleanBuilder::with_capacity(self.rows);
        for i in 0..self.rows {
            builder.append_option(row(i)?);
        }
        Ok(Arc::new(builder.finish()))
    }
}

/// BIGINT in Arrow.
pub(crate) type BigInt = datafusion::arrow::datatypes::Int64Type;

/// An argument cast to another type.
#[derive(Debug)]
pub(crate) struct Cast<T: ArrowPrimitiveType> {
    array: PrimitiveArray<T>,
    constant: bool,
}

impl<T: ArrowPrimitiveType> Cast<T> {
    #[inline]
    pub fn get(&self, row: usize) -> Option<T::Native> {
        let at = if self.constant { 0 } else { row };
        self.array.is_valid(at).then(|| self.array.value(at))
    }
}

/// One argument of a call.
#[derive(Debug)]
pub(crate) struct Column<'a, A> {
    array: &'a A,
    constant: bool,
}

impl<A> Clone for Column<'_, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Column<'_, A> {}

impl<'a, A: Array> Column<'a, A> {
    /// The array, and whether it is the one value of a constant.
    pub fn parts(self) -> (&'a A, bool) {
        (self.array, self.constant)
    }

    #[inline]
    fn at(&self, row: usize) -> Option<usize> {
        let at = if self.constant { 0 } else { row };
        self.array.is_valid(at).then_some(at)
    }
}

impl<'a> Column<'a, StringArray> {
    #[inline]
    pub fn get(&self, row: usize) -> Option<&'a str> {
        self.at(row).map(|at| self.array.value(at))
    }
}

impl<T: ArrowPrimitiveType> Column<'_, PrimitiveArray<T>> {
    #[inline]
    pub fn get(&self, row: usize) -> Option<T::Native> {
        self.at(row).map(|at| self.array.value(at))
    }
}

impl Column<'_, BooleanArray> {
    #[inline]
    pub fn get(&self, row: usize) -> Option<bool> {
        self.at(row).map(|at| self.array.value(at))
    }
}

impl<'a> Column<'a, BinaryArray> {
    #[inline]
    pub fn get(&self, row: usize) -> Option<&'a [u8]> {
        self.at(row).map(|at| self.array.value(at))
    }
}

/// How many bytes of text an array holds.
pub(crate) fn text_bytes(array: &ArrayRef) -> usize {
    let ends = |texts: &StringArray| {
        let ends = texts.value_offsets();
        let taken = ends
            .last()
            .zip(ends.first())
            .map(|(end, start)| end - start);
        usize::try_from(taken.unwrap_or(0)).unwrap_or(0)
    };
    array.as_string_opt::<i32>().map_or(0, ends)
}
