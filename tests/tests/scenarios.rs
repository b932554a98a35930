//! The scenarios that Bellhop must serve, one test per numbered requirement, on the real engine.

mod call_taxi {
    use bellhop_tests::{desk::a_taxi, stack::Stack};
    use serde_json::json;

    const PROGRAM: &str = env!("CARGO_BIN_EXE_bellhop-under-test");

    #[tokio::test]
    async fn call_taxi_04_a_manager_confirms() -> anyhow::Result<()> {
        let stack = Stack::start(PROGRAM).await?;
        let (customer, manager) = (stack.desk("dev-customer"), stack.desk("dev-manager"));
        let id = customer.taxi().await?;
        let approved = manager.post(&format!("/approvals/{id}/approve"), json!({})).await?;
        assert_eq!((approved.status, &approved.body["status"]), (200, &json!("confirmed")));
        let sold = customer.book(a_taxi("tok_declined")).await?;
        assert_eq!((sold.status, &sold.body["code"]), (402, &json!("payment_declined")));
        stack.assert_invariants().await
    }
}
