//! Logs Insights queries, run by DataFusion.
