//! Tests of the reader, and of the shipped snapshots.

use crate::source::{Side, Sources};

use super::{Field, FieldType, Schema, load};

fn shipped(side: Side) -> Schema {
    let text = match side {
        Side::Hubspot => include_str!("../../mappings/schema/hubspot.yaml"),
        Side::Salesforce => include_str!("../../mappings/schema/salesforce.yaml"),
    };
    let (schema, findings) = load(&mut Sources::new(), "schema.yaml", text);
    assert_eq!(findings, []);
    schema.unwrap()
}

fn field<'s>(schema: &'s Schema, object: &str, name: &str) -> &'s Field {
    schema.objects[object].field(name).unwrap_or_else(|| panic!("{object}.{name}"))
}

#[test]
fn the_shipped_salesforce_snapshot_tells_the_facts() {
    let schema = shipped(Side::Salesforce);
    assert_eq!((schema.side, schema.api_version.as_str()), (Side::Salesforce, "58.0"));
    let lead = &schema.objects["Lead"];
    assert_eq!((lead.key_prefix.as_deref(), lead.convertible), (Some("00Q"), true));
    assert!(!schema.objects["Contact"].convertible);
    let last_name = field(&schema, "Lead", "LastName");
    assert_eq!(last_name.kind, FieldType::Text { max: 80 });
    assert!(last_name.required_on_create());
    let status = field(&schema, "Lead", "Status");
    assert!(!status.nillable && status.defaulted_on_create && !status.required_on_create());
    assert!(status.options.iter().any(|option| option.value == "MQL - Pending Review"));
    let source = field(&schema, "Lead", "LeadSource");
    assert_eq!(source.kind, FieldType::Picklist { restricted: true, max: 255 });
    assert_eq!(source.options.len(), 13);
    let key = field(&schema, "Lead", "HubSpot_Contact_ID__c");
    assert!(key.external_id && key.unique);
    assert_eq!(
        field(&schema, "Lead", "HubSpot_Lead_Score__c").kind,
        FieldType::Decimal { precision: 18, scale: 0 }
    );
    assert_eq!(field(&schema, "Lead", "Contract_Date__c").kind, FieldType::Date);
    let owner = field(&schema, "Lead", "OwnerId");
    assert_eq!(owner.kind, FieldType::Reference { to: vec!["User".into(), "Group".into()] });
    assert_eq!(owner.relationship.as_deref(), Some("Owner"));
    let converted = field(&schema, "Lead", "IsConverted");
    assert!(converted.createable && !converted.updateable && converted.defaulted_on_create);
    assert!(field(&schema, "Lead", "HasOptedOutOfEmail").consent);
    assert!(field(&schema, "Lead", "Id").read_only());
    assert!(field(&schema, "Lead", "Address").read_only());
    assert_eq!(field(&schema, "Account", "NumberOfEmployees").kind, FieldType::Integer { digits: 8 });
    assert_eq!(field(&schema, "Opportunity", "Amount").kind, FieldType::Decimal { precision: 18, scale: 2 });
    assert!(field(&schema, "Opportunity", "CloseDate").required_on_create());
    assert!(field(&schema, "Account", "HubSpot_Company_ID__c").external_id);
    assert!(field(&schema, "Opportunity", "HubSpot_Deal_ID__c").unique);
    assert_eq!(field(&schema, "User", "Email").kind, FieldType::Email { max: 128 });
    assert!(schema.objects["Group"].field("DeveloperName").is_some());
}

#[test]
fn the_shipped_hubspot_snapshot_tells_the_facts() {
    let schema = shipped(Side::Hubspot);
    assert_eq!((schema.side, schema.api_version.as_str()), (Side::Hubspot, "v3"));
    let contact = &schema.objects["contact"];
    assert_eq!((contact.type_id.as_deref(), contact.plural.as_deref()), (Some("0-1"), Some("contacts")));
    assert!(contact.fields.len() > 320);
    assert_eq!(field(&schema, "contact", "firstname").kind, FieldType::Text { max: 65_536 });
    assert_eq!(field(&schema, "contact", "email").kind, FieldType::Email { max: 80 });
    assert_eq!(field(&schema, "contact", "phone").kind, FieldType::Phone { max: 65_536 });
    let source = field(&schema, "contact", "hs_analytics_source");
    assert_eq!(source.kind, FieldType::Picklist { restricted: true, max: 65_536 });
    assert_eq!((source.options.len(), source.options[3].label.as_str()), (9, "Organic Social"));
    assert!(!source.external_options);
    let owner = field(&schema, "contact", "hubspot_owner_id");
    assert!(owner.external_options && owner.options.is_empty());
    let stage = field(&schema, "contact", "lifecyclestage");
    assert!(stage.options.iter().any(|option| option.value == "marketingqualifiedlead"));
    let opt_out = field(&schema, "contact", "hs_email_optout");
    assert!(opt_out.consent && opt_out.read_only());
    assert_eq!(opt_out.kind, FieldType::Boolean);
    assert!(field(&schema, "contact", "hs_buying_role").options.len() == 9);
    assert!(matches!(
        field(&schema, "contact", "hs_buying_role").kind,
        FieldType::MultiPicklist { restricted: true }
    ));
    assert_eq!(field(&schema, "contact", "hubscore").kind, FieldType::Integer { digits: 18 });
    assert_eq!(field(&schema, "contact", "contract_date").kind, FieldType::Date);
    assert_eq!(field(&schema, "deal", "closedate").kind, FieldType::DateTime);
    assert_eq!(field(&schema, "deal", "dealstage").options.len(), 7);
    assert!(field(&schema, "company", "industry").options.len() > 140);
    assert!(field(&schema, "contact", "num_unique_conversion_events").calculated);
}
