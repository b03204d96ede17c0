use serde_json::json;

use super::{Lab, doe};

async fn call(lab: &Lab, body: &str) -> (u16, String) {
    let envelope = format!(
        "<?xml version=\"1.0\"?><env:Envelope xmlns:env=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:u=\"urn:partner.soap.sforce.com\"><env:Header><u:SessionHeader><u:sessionId>{}</u:sessionId>\
         </u:SessionHeader></env:Header><env:Body>{body}</env:Body></env:Envelope>",
        lab.token
    );
    let url = format!("{}/services/Soap/u/58.0", lab.server.base_url());
    let request = lab.http.post(url).header("SOAPAction", "x").header("content-type", "text/xml");
    let response = request.body(envelope).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

fn convert(id: &str, more: &str) -> String {
    format!(
        "<u:convertLead><u:leadConverts><u:leadId>{id}</u:leadId><u:convertedStatus>Closed - Converted</u:convertedStatus>\
         {more}</u:leadConverts></u:convertLead>"
    )
}

#[tokio::test]
async fn a_login_answers_session_and_address() {
    let lab = Lab::start().await;
    let login = |password: &str| {
        format!(
            "<n1:login xmlns:n1=\"urn:partner.soap.sforce.com\"><n1:username>integration@sandbox.example</n1:username>\
             <n1:password>{password}</n1:password></n1:login>"
        )
    };
    let (status, body) = call(&lab, &login("sandbox-passwordSECURITYTOKEN")).await;
    assert_eq!(status, 200);
    assert!(body.contains(&format!("<serverUrl>{}/services/Soap/u/58.0/00D", lab.server.base_url())));
    let token = body.split("<sessionId>").nth(1).unwrap().split('<').next().unwrap();
    let url = format!("{}/services/data/v58.0/limits", lab.server.base_url());
    assert_eq!(lab.send(lab.http.get(url).bearer_auth(token)).await.0, 200);
    let (status, body) = call(&lab, &login("wrong")).await;
    assert_eq!(status, 500);
    assert!(body.contains("<sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode>"));
}

#[tokio::test]
async fn a_lead_becomes_account_contact_and_opportunity() {
    let lab = Lab::start().await;
    let mut lead = doe();
    lead["HubSpot_Contact_ID__c"] = json!("5501");
    let id = lab.create("Lead", lead).await;
    let (status, body) = call(&lab, &convert(&id, "")).await;
    assert_eq!(status, 200);
    assert!(body.contains("<success>true</success>"), "{body}");
    let lead = lab.server.get("Lead", &id).unwrap();
    assert_eq!((&lead["IsConverted"], &lead["Status"]), (&json!(true), &json!("Closed - Converted")));
    let contact = lab.server.get("Contact", lead["ConvertedContactId"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&contact["Email"], &contact["HubSpot_Contact_ID__c"]),
        (&json!("jane@acme.test"), &json!("5501"))
    );
    assert_eq!(contact["AccountId"], lead["ConvertedAccountId"]);
    let opportunity =
        lab.server.get("Opportunity", lead["ConvertedOpportunityId"].as_str().unwrap()).unwrap();
    assert_eq!((&opportunity["StageName"], &opportunity["IsClosed"]), (&json!("Prospecting"), &json!(false)));
    assert_eq!(lab.query("SELECT COUNT() FROM OpportunityContactRole").await.1["totalSize"], 1);

    let (status, body) = call(&lab, &convert(&id, "")).await;
    assert_eq!(status, 200);
    assert!(body.contains("<statusCode>CANNOT_UPDATE_CONVERTED_LEAD</statusCode>"), "{body}");
}

#[tokio::test]
async fn a_conversion_may_use_what_exists() {
    let lab = Lab::start().await;
    let account = lab.create("Account", json!({"Name": "Acme"})).await;
    let contact = lab.create("Contact", json!({"LastName": "D", "AccountId": account})).await;
    let id = lab.create("Lead", doe()).await;
    let more = format!(
        "<u:accountId>{account}</u:accountId><u:contactId>{contact}</u:contactId>\
         <u:doNotCreateOpportunity>true</u:doNotCreateOpportunity>"
    );
    let (_, body) = call(&lab, &convert(&id, &more)).await;
    assert!(body.contains(&format!("<contactId>{contact}</contactId>")), "{body}");
    assert!(body.contains("<opportunityId xsi:nil=\"true\"/>"));
    let contact = lab.server.get("Contact", &contact).unwrap();
    assert_eq!((&contact["LastName"], &contact["Email"]), (&json!("D"), &json!("jane@acme.test")));
    assert_eq!(lab.query("SELECT COUNT() FROM Account").await.1["totalSize"], 1);
}

#[tokio::test]
async fn faults_have_status_500() {
    let lab = Lab::start().await;
    let (status, body) = call(&lab, "<u:describeGlobal/>").await;
    assert_eq!(status, 500);
    assert!(body.contains("INVALID_OPERATION"));
    assert_eq!(call(&lab, "").await.0, 500);
    lab.server.expire_tokens();
    let (status, body) = call(&lab, &convert("00Q000000000001", "")).await;
    assert_eq!(status, 500);
    assert!(body.contains("<faultcode>sf:INVALID_SESSION_ID</faultcode>"), "{body}");
}

#[tokio::test]
async fn leads_convert_or_fail_one_by_one() {
    let lab = Lab::start().await;
    let (one, two, three) =
        (lab.create("Lead", doe()).await, lab.create("Lead", doe()).await, lab.create("Lead", doe()).await);
    let fault = json!({"answer": "unable_to_lock_row", "record": {"object": "Lead", "contains": two}});
    assert_eq!(lab.post("/_sandbox/faults", fault).await.0, 204);
    lab.delete(&format!("sobjects/Lead/{three}")).await;
    let element = |id: &str, more: &str| {
        format!(
            "<u:leadConverts><u:leadId>{id}</u:leadId><u:convertedStatus>Closed - Converted</u:convertedStatus>{more}\
             </u:leadConverts>"
        )
    };
    let owner = "<u:ownerId>005000000000001</u:ownerId>";
    let all =
        [element(&one, ""), element(&two, ""), element(&three, ""), element(&two, owner), element("x", "")];
    let (status, body) = call(&lab, &format!("<u:convertLead>{}</u:convertLead>", all.concat())).await;
    assert_eq!(status, 200);
    let results: Vec<&str> = body.split("<result>").skip(1).collect();
    for (result, expected) in results.iter().zip([
        "<success>true</success>",
        "<statusCode>UNABLE_TO_LOCK_ROW</statusCode>",
        "<statusCode>ENTITY_IS_DELETED</statusCode>",
        "<statusCode>INVALID_CROSS_REFERENCE_KEY</statusCode>",
        "<statusCode>MALFORMED_ID</statusCode>",
    ]) {
        assert!(result.contains(expected), "{expected}: {result}");
    }
    assert_eq!((results.len(), lab.server.records("Contact").len()), (5, 1));
    let too_many = (0..201).map(|_| element(&two, "")).collect::<String>();
    let (status, body) = call(&lab, &format!("<u:convertLead>{too_many}</u:convertLead>")).await;
    assert_eq!(status, 500);
    assert!(body.contains("EXCEEDED_ID_LIMIT"), "{body}");
}

#[tokio::test]
async fn a_contact_is_used_only_with_its_own_account() {
    let lab = Lab::start().await;
    let (own, other) = (
        lab.create("Account", json!({"Name": "Own"})).await,
        lab.create("Account", json!({"Name": "Other"})).await,
    );
    let contact = lab.create("Contact", json!({"LastName": "D", "AccountId": own})).await;
    let lead = lab.create("Lead", doe()).await;
    let more = format!("<u:accountId>{other}</u:accountId><u:contactId>{contact}</u:contactId>");
    let (_, body) = call(&lab, &convert(&lead, &more)).await;
    assert!(body.contains("<statusCode>INVALID_CROSS_REFERENCE_KEY</statusCode>"), "{body}");
    assert_eq!(lab.server.get("Lead", &lead).unwrap()["IsConverted"], json!(false));
}
