//! Describe answers, computed from the facts of the schema.

use serde_json::{Map, Value, json};

use super::http::Answer;
use super::org::{Caller, Org};
use super::schema::{Access, FieldFacts, FieldType, ObjectFacts, Schema};

/// The id of the master record type, which every object has.
pub(super) const MASTER_RECORD_TYPE: &str = "012000000000000AAA";

/// Objects that describe as read-only.
const READ_ONLY: [&str; 4] = ["DuplicateRule", "LeadStatus", "OpportunityStage", "Organization"];

/// Flags of a field that nothing in the sandbox sets.
const FALSE_FLAGS: [&str; 12] = [
    "aiPredictionField",
    "autoNumber",
    "dependentPicklist",
    "deprecatedAndHidden",
    "displayLocationInDecimal",
    "encrypted",
    "formulaTreatNullNumberAsZero",
    "highScaleNumber",
    "htmlFormatted",
    "restrictedDelete",
    "searchPrefilterable",
    "writeRequiresMasterRead",
];

/// Facts of a field that nothing in the sandbox has.
const NULL_FACTS: [&str; 9] = [
    "calculatedFormula",
    "controllerName",
    "defaultValueFormula",
    "filteredLookupInfo",
    "inlineHelpText",
    "mask",
    "maskType",
    "referenceTargetField",
    "relationshipOrder",
];

/// Facts of an object that nothing in the sandbox has.
const NULL_OBJECT_FACTS: [&str; 10] = [
    "associateEntityType",
    "associateParentEntity",
    "defaultImplementation",
    "extendedBy",
    "extendsInterfaces",
    "implementedBy",
    "implementsInterfaces",
    "listviewable",
    "lookupLayoutable",
    "networkScopeFieldName",
];

/// `GET sobjects`.
pub(super) fn global(org: &Org, caller: &Caller) -> Answer {
    let objects: Vec<Value> =
        org.schema.objects().map(|object| Value::Object(summary(caller, object))).collect();
    Answer::json(200, json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects}))
}

/// `GET sobjects/X`.
pub(super) fn basic(caller: &Caller, object: &ObjectFacts) -> Answer {
    Answer::json(200, json!({"objectDescribe": summary(caller, object), "recentItems": []}))
}

/// `GET sobjects/X/describe`.
pub(super) fn full(org: &Org, caller: &Caller, object: &ObjectFacts) -> Answer {
    let mut answer = summary(caller, object);
    let fields: Vec<Value> = object.fields.iter().map(|field| describe_field(object, field)).collect();
    answer.insert("fields".into(), fields.into());
    answer.insert("childRelationships".into(), child_relationships(&org.schema, object));
    answer.insert("recordTypeInfos".into(), record_types(caller, object));
    answer.insert("actionOverrides".into(), json!([]));
    answer.insert("namedLayoutInfos".into(), json!([]));
    answer.insert(
        "supportedScopes".into(),
        json!([
            {"label": format!("All {}", object.label_plural.to_lowercase()), "name": "everything"},
            {"label": format!("My {}", object.label_plural.to_lowercase()), "name": "mine"},
        ]),
    );
    for absent in NULL_OBJECT_FACTS {
        answer.insert(absent.into(), Value::Null);
    }
    answer.insert("sobjectDescribeOption".into(), "FULL".into());
    answer.insert("compactLayoutable".into(), true.into());
    answer.insert("searchLayoutable".into(), true.into());
    Answer::json(200, answer)
}

fn summary(caller: &Caller, object: &ObjectFacts) -> Map<String, Value> {
    let url = format!("{}/sobjects/{}", caller.root(), object.name);
    let writable = !READ_ONLY.contains(&object.name.as_str());
    let mergeable = ["Account", "Contact", "Lead"].contains(&object.name.as_str());
    let summary = json!({
        "activateable": false,
        "createable": writable,
        "custom": object.is_custom(),
        "customSetting": false,
        "deepCloneable": false,
        "deletable": writable && object.has_recycle_bin(),
        "deprecatedAndHidden": false,
        "feedEnabled": writable,
        "hasSubtypes": false,
        "isInterface": false,
        "isSubtype": false,
        "keyPrefix": object.key_prefix,
        "label": object.label,
        "labelPlural": object.label_plural,
        "layoutable": writable,
        "mergeable": mergeable,
        "mruEnabled": writable,
        "name": object.name,
        "queryable": true,
        "replicateable": true,
        "retrieveable": true,
        "searchable": writable,
        "triggerable": writable,
        "undeletable": writable && object.has_recycle_bin(),
        "updateable": writable,
        "urls": {
            "sobject": url,
            "describe": format!("{url}/describe"),
            "rowTemplate": format!("{url}/{{ID}}"),
        },
    });
    match summary {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn describe_field(object: &ObjectFacts, field: &FieldFacts) -> Value {
    let numeric = field.kind.is_number();
    let is_text = !numeric
        && !matches!(
            field.kind,
            FieldType::Boolean | FieldType::Date | FieldType::Datetime | FieldType::Address
        );
    let length = if is_text { field.length } else { 0 };
    let byte_length = if field.kind.is_id() { length } else { length * 3 };
    let long_text = field.kind == FieldType::Textarea && field.compound.is_none();
    let groupable =
        is_text && !long_text || matches!(field.kind, FieldType::Boolean | FieldType::Date | FieldType::Int);
    let polymorphic = field.reference_to.len() > 1;
    let mut described = Map::new();
    for name in FALSE_FLAGS {
        described.insert(name.into(), false.into());
    }
    for name in NULL_FACTS {
        described.insert(name.into(), Value::Null);
    }
    let facts: [(&str, Value); 34] = [
        (
            "aggregatable",
            (field.filterable() && !matches!(field.kind, FieldType::Boolean | FieldType::Address)).into(),
        ),
        ("byteLength", byte_length.into()),
        ("calculated", field.calculated.into()),
        ("cascadeDelete", false.into()),
        ("caseSensitive", field.case_sensitive.into()),
        ("compoundFieldName", json!(field.compound)),
        ("createable", field.createable().into()),
        ("custom", field.is_custom().into()),
        ("defaultValue", json!(field.default_value())),
        ("defaultedOnCreate", field.defaulted.into()),
        ("digits", field.digits.into()),
        ("externalId", field.external_id.into()),
        ("extraTypeInfo", extra_type(object, field)),
        ("filterable", field.filterable().into()),
        ("groupable", groupable.into()),
        ("idLookup", field.is_key().into()),
        ("label", field.label.clone().into()),
        ("length", length.into()),
        ("name", field.name.clone().into()),
        ("nameField", field.name_field.into()),
        ("namePointing", polymorphic.into()),
        ("nillable", field.nillable.into()),
        ("permissionable", is_permissionable(field).into()),
        ("picklistValues", picklist_values(field)),
        ("polymorphicForeignKey", polymorphic.into()),
        ("precision", if field.kind == FieldType::Int { 0.into() } else { field.precision.into() }),
        ("referenceTo", json!(field.reference_to)),
        ("relationshipName", json!(field.relationship_name)),
        ("restrictedPicklist", field.restricted.into()),
        ("queryByDistance", (field.kind == FieldType::Address).into()),
        ("scale", field.scale.into()),
        ("soapType", soap_type(field.kind).into()),
        ("sortable", (field.filterable() && field.kind != FieldType::Address).into()),
        ("type", field.kind.name().into()),
    ];
    described.extend(facts.map(|(name, value)| (name.to_owned(), value)));
    described.insert("unique".into(), field.unique.into());
    described.insert("updateable".into(), field.updateable().into());
    Value::Object(described)
}

fn extra_type(object: &ObjectFacts, field: &FieldFacts) -> Value {
    let is_person = object.field("LastName").is_some();
    if field.kind == FieldType::Textarea {
        "plaintextarea".into()
    } else if field.name == "PhotoUrl" {
        "imageurl".into()
    } else if is_person && (field.name == "Name" || is_name_part(field)) {
        "personname".into()
    } else {
        Value::Null
    }
}

fn is_name_part(field: &FieldFacts) -> bool {
    field.compound.as_deref() == Some("Name")
}

/// Whether a profile can take the field away: what is required or filled by Salesforce itself cannot be.
fn is_permissionable(field: &FieldFacts) -> bool {
    field.kind == FieldType::Address
        || (field.nillable && field.access == Access::Write && !is_name_part(field))
}

fn picklist_values(field: &FieldFacts) -> Value {
    let default = field.default.as_ref().and_then(Value::as_str);
    field
        .values
        .iter()
        .map(|option| {
            json!({
                "active": option.active,
                "defaultValue": default == Some(&option.value),
                "label": option.label,
                "validFor": null,
                "value": option.value,
            })
        })
        .collect()
}

fn soap_type(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Id | FieldType::Reference => "tns:ID",
        FieldType::Boolean => "xsd:boolean",
        FieldType::Int => "xsd:int",
        FieldType::Double | FieldType::Currency | FieldType::Percent => "xsd:double",
        FieldType::Date => "xsd:date",
        FieldType::Datetime => "xsd:dateTime",
        FieldType::Address => "urn:address",
        _ => "xsd:string",
    }
}

fn child_relationships(schema: &Schema, object: &ObjectFacts) -> Value {
    schema
        .children_of(object)
        .map(|(child, field)| {
            json!({
                "cascadeDelete": field.cascade,
                "childSObject": child.name,
                "deprecatedAndHidden": false,
                "field": field.name,
                "junctionIdListNames": [],
                "junctionReferenceTo": [],
                "relationshipName": field.children,
                "restrictedDelete": false,
            })
        })
        .collect()
}

fn record_types(caller: &Caller, object: &ObjectFacts) -> Value {
    let layout = |id: &str| format!("{}/sobjects/{}/describe/layouts/{id}", caller.root(), object.name);
    let mut infos: Vec<Value> = object
        .record_types
        .iter()
        .enumerate()
        .map(|(index, record_type)| {
            json!({
                "active": record_type.active,
                "available": record_type.active,
                "defaultRecordTypeMapping": index == 0,
                "developerName": record_type.developer_name,
                "master": false,
                "name": record_type.name,
                "recordTypeId": record_type.id,
                "urls": {"layout": layout(&record_type.id)},
            })
        })
        .collect();
    infos.push(json!({
        "active": true,
        "available": true,
        "defaultRecordTypeMapping": infos.is_empty(),
        "developerName": "Master",
        "master": true,
        "name": "Master",
        "recordTypeId": MASTER_RECORD_TYPE,
        "urls": {"layout": layout(MASTER_RECORD_TYPE)},
    }));
    infos.into()
}
