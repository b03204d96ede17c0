use serde_json::{Value, json};

use super::{Lab, code};

#[tokio::test]
async fn versions_need_no_token_and_resources_do() {
    let lab = Lab::start().await;
    let url = format!("{}/services/data/", lab.server.base_url());
    let (status, versions) = lab.send(lab.http.get(url)).await;
    assert_eq!(status, 200);
    assert!(versions.as_array().unwrap().iter().any(|version| version["version"] == "58.0"));
    let (_, resources) = lab.get("").await;
    assert_eq!(resources["sobjects"], "/services/data/v58.0/sobjects");
}

#[tokio::test]
async fn describe_has_every_flag() {
    let lab = Lab::start().await;
    let (status, global) = lab.get("sobjects").await;
    assert_eq!((status, &global["maxBatchSize"]), (200, &json!(200)));
    assert!(global["sobjects"].as_array().unwrap().iter().any(|object| object["name"] == "Lead"));
    let (_, basic) = lab.get("sobjects/Lead").await;
    assert_eq!(basic["objectDescribe"]["keyPrefix"], "00Q");

    let (status, lead) = lab.get("sobjects/Lead/describe/").await;
    assert_eq!(status, 200);
    let field = |name: &str| -> Value {
        lead["fields"].as_array().unwrap().iter().find(|field| field["name"] == name).unwrap().clone()
    };
    let title = field("Title");
    assert_eq!(title.as_object().unwrap().len(), 57);
    assert_eq!(
        (&title["length"], &title["byteLength"], &title["soapType"]),
        (&json!(128), &json!(384), &json!("xsd:string"))
    );
    let key = field("HubSpot_Contact_ID__c");
    for flag in ["externalId", "unique", "idLookup", "custom", "createable", "updateable", "nillable"] {
        assert_eq!(key[flag], true, "{flag}");
    }
    let status = field("Status");
    assert_eq!((&status["restrictedPicklist"], &status["defaultedOnCreate"]), (&json!(true), &json!(true)));
    let options: Vec<&str> = status["picklistValues"]
        .as_array()
        .unwrap()
        .iter()
        .map(|option| option["value"].as_str().unwrap())
        .collect();
    assert!(options.contains(&"MQL - Pending Review"));
    assert_eq!(field("OwnerId")["referenceTo"], json!(["Group", "User"]));
    assert_eq!(field("Name")["createable"], false);
    assert_eq!(lead["recordTypeInfos"][0]["recordTypeId"], "012000000000000AAA");
    let (_, account) = lab.get("sobjects/account/describe.json").await;
    let children = account["childRelationships"].as_array().unwrap();
    assert!(
        children.iter().any(|child| child["relationshipName"] == "Contacts" && child["field"] == "AccountId")
    );
    assert_eq!(code(&lab.get("sobjects/Nope/describe").await), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn the_seed_extends_the_schema() {
    let lab = Lab::seeded(json!({
        "objects": {
            "Account": [{"_ref": "acme", "Name": "Acme"}],
            "Contact": [{"LastName": "Doe", "AccountId": "@acme", "CreatedDate": "2020-01-01T00:00:00Z"}],
            "Invoice__c": {"keyPrefix": "a07", "records": [{"Name": "I-1"}]},
        },
        "fields": {
            "Lead": [
                {"name": "Region__c", "type": "picklist", "restricted": true, "values": ["EMEA", "AMER"]},
                {"name": "LeadSource", "addValues": ["Webinar"]},
                {"name": "Phone", "required": true},
            ],
            "Invoice__c": [{"name": "Total__c", "type": "currency", "precision": 10, "scale": 2}],
        },
        "record_types": {"Lead": [{"name": "Inbound", "picklists": {"Status": ["MQL - Pending Review"]}}]},
    }))
    .await;
    let found = lab.column("SELECT Account.Name, CreatedDate FROM Contact", "CreatedDate").await;
    assert_eq!(found, [json!("2020-01-01T00:00:00.000+0000")]);
    let invoice = lab.create("Invoice__c", json!({"Name": "I-2", "Total__c": 3.456})).await;
    assert!(invoice.starts_with("a07"));
    assert_eq!(lab.server.get("Invoice__c", &invoice).unwrap()["Total__c"].to_string(), "3.46");

    let lead = |more: Value| {
        let mut lead = json!({"LastName": "Doe", "Company": "Acme", "Phone": "1"});
        lead.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        lead
    };
    lab.create("Lead", lead(json!({"LeadSource": "Webinar", "Region__c": "EMEA"}))).await;
    let reply = lab.post("sobjects/Lead", lead(json!({"Region__c": "APAC"}))).await;
    assert_eq!(code(&reply), (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"));
    let reply = lab.post("sobjects/Lead", lead(json!({"Phone": null}))).await;
    assert_eq!(code(&reply), (400, "REQUIRED_FIELD_MISSING"));
    let types = lab
        .column("SELECT Id FROM RecordType WHERE SobjectType = 'Lead' AND DeveloperName = 'Inbound'", "Id")
        .await;
    let inbound = |status: &str| lead(json!({"RecordTypeId": types[0], "Status": status}));
    let path = format!("ui-api/object-info/Lead/picklist-values/{}", types[0].as_str().unwrap());
    let (status, body) = lab.get(&path).await;
    let values = &body["picklistFieldValues"]["Status"]["values"];
    assert_eq!(
        (status, values.as_array().unwrap().len(), &values[0]["value"]),
        (200, 1, &json!("MQL - Pending Review"))
    );
    let (_, body) = lab.get("ui-api/object-info/Lead/picklist-values/012000000000000AAA/Status").await;
    assert_eq!(
        (body["values"].as_array().unwrap().len(), &body["defaultValue"]["value"]),
        (5, &json!("Open - Not Contacted"))
    );
    assert_eq!(lab.get("ui-api/object-info/Lead/picklist-values/012000000000009AAA").await.0, 404);
    lab.create("Lead", inbound("MQL - Pending Review")).await;
    let reply = lab.post("sobjects/Lead", inbound("Working - Contacted")).await;
    assert_eq!(code(&reply), (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"));
}

#[tokio::test]
async fn a_broken_seed_is_told() {
    use super::super::{SalesforceConfig, SalesforceServer};
    for (seed, words) in [
        (json!({"objects": {"Lead": [{"Nope": 1}]}}), "`objects.Lead[0]`: `Lead` has no field `Nope`"),
        (json!({"fields": {"Nope": []}, "objects": {"Nope": []}}), "0"),
        (json!({"fields": {"Lead": [{"type": "string"}]}}), "has no `name`"),
        (json!({"objects": []}), "`objects` is not a map by object"),
        (json!({"duplicate_rules": [{}]}), "`duplicate_rules`"),
    ] {
        let config = SalesforceConfig { seed, ..SalesforceConfig::default() };
        match SalesforceServer::start(config).await {
            Err(error) => assert!(error.to_string().contains(words), "{error}"),
            Ok(_) => assert_eq!(words, "0"),
        }
    }
}
