"""Requests (이용 권한 신청): people ask for a grant, somebody else decides."""
