//! Did-you-mean.

/// How alike two names must be, from 0 to 1 by Jaro-Winkler, to be worth suggesting. Below 0.8 the suggestions for
/// API names (`Lead_Source__c` for `LeadSource`) become noise.
const ALIKE: f64 = 0.8;

/// Names that are compared with an unknown one. A file of thousands of names that nobody knows would otherwise cost
/// their number squared; an object of a CRM has at most 800 fields.
const COMPARED: usize = 1_000;

/// The nearest of the candidates, if one is near enough; case does not count.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let wanted = name.to_lowercase();
    candidates
        .into_iter()
        .take(COMPARED)
        .map(|candidate| (strsim::jaro_winkler(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score >= ALIKE)
        .max_by(|(a, x), (b, y)| a.total_cmp(b).then_with(|| y.cmp(x)))
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?", if some candidate is near enough.
pub fn did_you_mean<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    nearest(name, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}
