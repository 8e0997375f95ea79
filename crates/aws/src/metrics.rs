//! CloudWatch: figures put into a namespace, a thousand a call.

use jiff::Timestamp;
use wire::query::Params;

use crate::{cloud::AwsCloud, pace::Bucket, told::NotRead};

pub(crate) const PUT_METRICS: &str = "cloudwatch:PutMetricData";

/// Version of CloudWatch's Query protocol.
const VERSION: &str = "2010-08-01";
/// Figures that one call takes.
pub const PER_CALL: usize = 1_000;
/// CloudWatch takes a megabyte a call; what is not the figures themselves has the rest.
const MOST_BYTES: usize = 900_000;

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Datum {
    /// Name of the metric.
    pub name: String,
    /// Dimensions: names and values. CloudWatch takes none that is empty.
    pub dimensions: Vec<(String, String)>,
    /// The figure.
    pub value: f64,
    /// CloudWatch's unit: `Count`, `Percent`, `Bytes`.
    pub unit: &'static str,
    /// When it was so.
    pub at: Timestamp,
}

impl Datum {
    fn write(&self, number: usize, params: &mut Params) {
        let member = format!("MetricData.member.{number}");
        params.push(format!("{member}.MetricName"), &self.name);
        for (index, (name, value)) in self.dimensions.iter().enumerate() {
            let dimension = format!("{member}.Dimensions.member.{}", index + 1);
            params.push(format!("{dimension}.Name"), name);
            params.push(format!("{dimension}.Value"), value);
        }
        params.push(format!("{member}.Value"), self.value.to_string());
        params.push(format!("{member}.Unit"), self.unit);
        params.push(format!("{member}.Timestamp"), self.at.to_string());
    }

    /// An upper bound of what it takes, encoded.
    fn bytes(&self) -> usize {
        let texts = self.dimensions.iter().map(|(name, value)| 160 + 3 * (name.len() + value.len())).sum::<usize>();
        400 + 3 * self.name.len() + texts
    }
}

impl AwsCloud {
    /// Puts figures into the account and region of a cluster (ARN). Returns how many calls that took.
    ///
    /// # Errors
    /// When CloudWatch did not take one of the calls. Figures of the calls before are there.
    pub async fn put_metrics(&self, cluster: &str, namespace: &str, data: &[Datum]) -> Result<usize, NotRead> {
        let place = self.place_for(cluster)?;
        let mut calls = 0;
        for batch in batches(data) {
            let mut params = Params::new("PutMetricData", VERSION);
            params.push("Namespace", namespace);
            for (index, datum) in batch.iter().enumerate() {
                datum.write(index + 1, &mut params);
            }
            // A figure that is put twice at one moment has the same average, least and greatest value.
            let put = place.caller.call(Bucket::MetricsWrite, PUT_METRICS, || place.metrics.query(&params)).await;
            put.map_err(|refusal| NotRead::of(&refusal, PUT_METRICS, &format!("{namespace} in {}", place.words())))?;
            calls += 1;
        }
        Ok(calls)
    }
}

/// As few batches as the limits allow.
fn batches(data: &[Datum]) -> Vec<&[Datum]> {
    let (mut found, mut from, mut bytes) = (Vec::new(), 0, 0);
    for (at, datum) in data.iter().enumerate() {
        if at - from == PER_CALL || (at > from && bytes + datum.bytes() > MOST_BYTES) {
            found.push(&data[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += datum.bytes();
    }
    if from < data.len() {
        found.push(&data[from..]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datum(name: &str) -> Datum {
        let dimensions = vec![("ClusterName".to_owned(), "prod-a".to_owned())];
        Datum { name: name.to_owned(), dimensions, value: 2.5, unit: "Count", at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn a_call_holds_a_thousand_figures_at_most_and_no_call_is_empty() {
        let sizes = |count: usize| -> Vec<usize> {
            batches(&vec![datum("m"); count]).iter().map(|batch| batch.len()).collect()
        };
        assert_eq!(sizes(0), Vec::<usize>::new());
        assert_eq!(sizes(1_000), [1_000]);
        assert_eq!(sizes(2_001), [1_000, 1_000, 1]);
        let long = "x".repeat(250);
        let many = vec![datum(&long); 1_000];
        let sizes: Vec<usize> = batches(&many).iter().map(|batch| batch.len()).collect();
        assert!(sizes.len() > 1 && sizes.iter().sum::<usize>() == 1_000, "{sizes:?}");
        for batch in batches(&many) {
            let mut params = Params::new("PutMetricData", VERSION);
            for (index, datum) in batch.iter().enumerate() {
                datum.write(index + 1, &mut params);
            }
            assert!(params.encode().len() < 1_000_000);
        }
    }

    #[test]
    fn an_apostrophe_in_a_name_arrives_as_it_is() {
        let mut params = Params::new("PutMetricData", VERSION);
        datum("ecs-remaining-eni's").write(1, &mut params);
        let read = Params::decode(params.encode().as_bytes()).unwrap();
        assert_eq!(read.get("MetricData.member.1.MetricName"), Some("ecs-remaining-eni's"));
        assert_eq!(read.get("MetricData.member.1.Timestamp"), Some("1970-01-01T00:00:00Z"));
    }
}
